using Vivarium.Daemon.Http.Connect;
using Vivarium.Wire.Host;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Sessions;

internal sealed partial class SessionMethods
{
    private const int SignalBase = 128;

    private void AddProcesses(ConnectService service) => service
        .Unary(SessionMethod.LaunchProcess, SessionJson.Wire.LaunchProcessRequest, SessionJson.Wire.LaunchProcessResponse, async (p, call, token) =>
        {
            Require(call, p.Binary, "Binary");
            var sandbox = await directory.GetAsync(call, p.SessionId, token).ConfigureAwait(false);
            var started = await host.Processes.LaunchAsync(
                new LaunchProcessParams { Ref = Ref(sandbox), Binary = p.Binary, Args = p.Args, Env = p.Env, Cwd = Given(p.Cwd), User = Given(p.User), ExposedPort = p.ExposePort }, token).ConfigureAwait(false);
            return new LaunchProcessResponse { ProcessId = started.Id!, Address = started.Address ?? string.Empty, Status = started.Status };
        })
        .Unary(SessionMethod.KillProcess, SessionJson.Wire.KillProcessRequest, SessionJson.Wire.EmptyResponse, async (p, call, token) =>
        {
            Require(call, p.ProcessId, "ProcessID");
            var sandbox = await directory.GetAsync(call, p.SessionId, token).ConfigureAwait(false);
            await host.Processes.KillAsync(new KillParams { Ref = Ref(sandbox), Id = p.ProcessId, Signal = p.Signal is 0 ? null : p.Signal }, treeByDefault: true, token).ConfigureAwait(false);
            return new EmptyResponse();
        })
        .Unary(SessionMethod.GetProcessStatus, SessionJson.Wire.ProcessRequest, SessionJson.Wire.SessionProcess, async (p, call, token) =>
        {
            Require(call, p.ProcessId, "ProcessID");
            var sandbox = await directory.GetAsync(call, p.SessionId, token).ConfigureAwait(false);
            return Shown(await host.Processes.StatusAsync(new ProcessParams { Ref = Ref(sandbox), Id = p.ProcessId! }, token).ConfigureAwait(false));
        })
        .Unary(SessionMethod.ListProcesses, SessionJson.Wire.SessionRequest, SessionJson.Wire.ListProcessesResponse, async (p, call, token) =>
        {
            var sandbox = await directory.GetAsync(call, p.SessionId, token).ConfigureAwait(false);
            var all = await host.Processes.ListAsync(Ref(sandbox), token).ConfigureAwait(false);
            return new ListProcessesResponse { Processes = [.. all.Processes.Where(static x => x.Id is not null).Select(Shown)] };
        })
        .Unary(SessionMethod.GetProcessLogs, SessionJson.Wire.GetProcessLogsRequest, SessionJson.Wire.GetProcessLogsResponse, async (p, call, token) =>
        {
            Require(call, p.ProcessId, "ProcessID");
            var sandbox = await directory.GetAsync(call, p.SessionId, token).ConfigureAwait(false);
            var wait = SessionView.Milliseconds(p.Wait);
            var logs = await host.Logs.ReadAsync(
                sandbox,
                new LogsParams { Ref = Ref(sandbox), Id = p.ProcessId, Offset = p.Offset, WaitMs = wait is null ? null : (int)Math.Clamp(wait.Value, -1, int.MaxValue) },
                token).ConfigureAwait(false);
            return ProcessLogLines.Read(logs);
        });

    private static SessionProcess Shown(ProcessInfo p) => new()
    {
        ProcessId = p.Id,
        Status = p.Status,
        ExitCode = p.Exit is { } exit ? exit.Code ?? SignalBase + (exit.Signal ?? 0) : null,
        Signal = p.Exit?.Signal ?? 0,
        Oom = p.Exit?.Oom == true,
        Error = p.Error?.Message ?? string.Empty,
        Address = p.Address ?? string.Empty,
        Command = p.Argv,
        Started = DateTimeOffset.FromUnixTimeMilliseconds(p.StartedUnixMs),
        Ended = p.EndedUnixMs is { } end ? DateTimeOffset.FromUnixTimeMilliseconds(end) : null,
    };
}
