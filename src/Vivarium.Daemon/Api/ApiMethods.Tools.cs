using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Host;

namespace Vivarium.Daemon.Api;

internal sealed partial class ApiMethods
{
    private void AddTools(JsonRpcDispatcher dispatcher) => dispatcher
        .Method(HostMethod.ToolList, HostJson.Default.Empty, HostJson.Default.ToolList, (_, _, _) => new(host.Tools.List()))
        .Method(HostMethod.ToolCall, HostJson.Default.ToolParams, HostJson.Default.ToolReply, async (p, call, token) =>
        {
            // A caller that reads too slowly misses some of it; the answer has everything.
            Action<ToolProgress>? progress = p.Stream
                ? piece => call.Connection.TryNotify(HostMethod.ToolProgressNotification, piece with { CallId = p.CallId }, HostJson.Default.ToolProgress)
                : null;
            return await host.Tools.CallAsync(p, progress, token).ConfigureAwait(false);
        });
}
