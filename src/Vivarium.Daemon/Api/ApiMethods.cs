using Vivarium.Host;
using Vivarium.Transport.JsonRpc;

namespace Vivarium.Daemon.Api;

/// <summary>The JSON-RPC API: every method of <see cref="Wire.Host.HostMethod"/>, one file per area. Handlers translate and delegate; the domain decides.</summary>
internal sealed partial class ApiMethods(VivariumHost host, Func<string?> http, Action shutdown, ILogger<ApiMethods> logger)
{
    /// <summary>The dispatcher that serves all connections.</summary>
    public JsonRpcDispatcher Build()
    {
        var dispatcher = new JsonRpcDispatcher();
        AddSandboxes(dispatcher);
        AddPorts(dispatcher);
        AddSnapshots(dispatcher);
        AddProcesses(dispatcher);
        AddTools(dispatcher);
        AddTemplates(dispatcher);
        AddOperations(dispatcher);
        AddSystem(dispatcher);
        AddEvents(dispatcher);
        return dispatcher;
    }
}
