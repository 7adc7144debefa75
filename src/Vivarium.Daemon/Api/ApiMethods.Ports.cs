using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Daemon.Api;

internal sealed partial class ApiMethods
{
    private void AddPorts(JsonRpcDispatcher dispatcher) => dispatcher
        .Method(HostMethod.PublishPort, HostJson.Default.PortParams, HostJson.Default.PublishedPort, async (p, _, token) =>
        {
            var sandbox = await Access.GetAsync(p.Ref, token).ConfigureAwait(false);
            return await Workflows.Ports.PublishAsync(sandbox, p.Port).WaitAsync(token).ConfigureAwait(false);
        })
        .Method(HostMethod.UnpublishPort, HostJson.Default.PortParams, HostJson.Default.Empty, async (p, _, token) =>
        {
            var sandbox = await Access.GetAsync(p.Ref, token).ConfigureAwait(false);
            await Workflows.Ports.UnpublishAsync(sandbox, p.Port).WaitAsync(token).ConfigureAwait(false);
            return new Empty();
        })
        .Method(HostMethod.Ports, HostJson.Default.RefParams, HostJson.Default.SandboxPorts, async (p, _, token) =>
        {
            var (sandbox, link) = await Access.GetRunningAsync(p.Ref, "listing the listeners of", token).ConfigureAwait(false);
            var inside = await link.ListenersAsync(token).ConfigureAwait(false);
            return new SandboxPorts { Listeners = inside.Listeners, Missing = inside.Missing, Published = sandbox.Record.Ports ?? [] };
        });
}
