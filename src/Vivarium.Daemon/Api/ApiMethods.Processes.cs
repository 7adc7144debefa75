using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Daemon.Api;

internal sealed partial class ApiMethods
{
    private const int DefaultSignal = 15;

    private void AddProcesses(JsonRpcDispatcher dispatcher) => dispatcher
        .Method(HostMethod.Exec, HostJson.Default.RunParams, HostJson.Default.RunReply, (p, _, token) => host.Runs.RunAsync(p, token))
        .Method(HostMethod.Launch, HostJson.Default.LaunchProcessParams, HostJson.Default.LaunchReply, async (p, _, token) =>
        {
            var (_, link) = await Access.GetRunningAsync(p.Ref, "starting a process in", token).ConfigureAwait(false);
            return await link.LaunchAsync(p.Request, token).ConfigureAwait(false);
        })
        .Method(HostMethod.Processes, HostJson.Default.RefParams, HostJson.Default.ProcessesPayload, async (p, _, token) =>
        {
            var (_, link) = await Access.GetRunningAsync(p.Ref, "listing the processes of", token).ConfigureAwait(false);
            return await link.ProcessesAsync(token).ConfigureAwait(false);
        })
        .Method(HostMethod.Kill, HostJson.Default.KillParams, HostJson.Default.Empty, async (p, _, token) =>
        {
            var signal = p.Signal ?? DefaultSignal;
            if (signal is < 1 or > 64 || p.Pid < 0 || (p.Pid == 0 && string.IsNullOrEmpty(p.Tag)))
            {
                throw new VivariumException(ErrorCode.InvalidArgument, "killing a process: give a pid above 0 or a tag, and a signal from 1 to 64", "viv ps shows the processes.", "bad_params");
            }

            var (_, link) = await Access.GetRunningAsync(p.Ref, "killing a process of", token).ConfigureAwait(false);
            await link.KillProcessAsync(new KillProcessPayload { Pid = p.Pid, Tag = p.Tag, Signal = signal, Tree = p.Tree }, token).ConfigureAwait(false);
            return new Empty();
        })
        .Method(HostMethod.Logs, HostJson.Default.LogsParams, HostJson.Default.LogsReply, async (p, _, token) =>
        {
            var sandbox = await Access.GetAsync(p.Ref, token).ConfigureAwait(false);
            return await host.Logs.ReadAsync(sandbox, p, token).ConfigureAwait(false);
        });
}
