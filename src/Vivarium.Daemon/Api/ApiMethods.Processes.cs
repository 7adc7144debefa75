using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Daemon.Api;

internal sealed partial class ApiMethods
{
    private void AddProcesses(JsonRpcDispatcher dispatcher) => dispatcher
        .Method(HostMethod.Exec, HostJson.Default.RunParams, HostJson.Default.RunReply, (p, _, token) => host.Runs.RunAsync(p, token))
        .Method(HostMethod.Launch, HostJson.Default.LaunchProcessParams, HostJson.Default.ProcessInfo, async (p, _, token) => await host.Processes.LaunchAsync(p, token).ConfigureAwait(false))
        .Method(HostMethod.Processes, HostJson.Default.RefParams, HostJson.Default.ProcessList, async (p, _, token) => await host.Processes.ListAsync(p.Ref, token).ConfigureAwait(false))
        .Method(HostMethod.ProcessStatus, HostJson.Default.ProcessParams, HostJson.Default.ProcessInfo, async (p, _, token) => await host.Processes.StatusAsync(p, token).ConfigureAwait(false))
        .Method(HostMethod.ProcessWait, HostJson.Default.ProcessParams, HostJson.Default.ProcessInfo, async (p, _, token) => await host.Processes.WaitAsync(p, token).ConfigureAwait(false))
        .Method(HostMethod.Kill, HostJson.Default.KillParams, HostJson.Default.Empty, (p, _, token) => KillAsync(p, treeByDefault: true, token))
        .Method(HostMethod.Signal, HostJson.Default.KillParams, HostJson.Default.Empty, (p, _, token) => KillAsync(p, treeByDefault: false, token))
        .Method(HostMethod.Logs, HostJson.Default.LogsParams, HostJson.Default.LogsReply, async (p, _, token) =>
        {
            var sandbox = await Access.GetAsync(p.Ref, token).ConfigureAwait(false);
            return await host.Logs.ReadAsync(sandbox, p, token).ConfigureAwait(false);
        });

    private async ValueTask<Empty> KillAsync(KillParams p, bool treeByDefault, CancellationToken cancellationToken)
    {
        await host.Processes.KillAsync(p, treeByDefault, cancellationToken).ConfigureAwait(false);
        return new Empty();
    }
}
