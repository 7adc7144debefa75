using Vivarium.Linux.IO;
using Vivarium.Runtimes;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Supervisor.Logs;
using Vivarium.Supervisor.Ports;
using Vivarium.Supervisor.Processes;
using Vivarium.Supervisor.Streams;
using Vivarium.Transport;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor.Lifecycle;

/// <summary>One sandbox from start to end.</summary>
/// <remarks>
/// <code>
///   preparing ─▶ booting ─▶ provisioning ─▶ running ◀──▶ pausing/paused/resuming
///       │           │            │             │                │
///       └───────────┴────────────┴──stop───────┴────────────────┴──▶ stopping ─▶ stopped
///       └───────────┴────────────┴──failure, or the guest's own end ───────────▶ failed | stopped
/// </code>
/// A forced stop is accepted in every phase. No lock is held while anything is waited for.
/// </remarks>
internal sealed class SupervisedSandbox : IAsyncDisposable
{
    private static readonly TimeSpan ForceDeadline = TimeSpan.FromSeconds(15);

    private readonly string directory;
    private readonly ISandboxRuntime runtime;
    private readonly SupervisorLog log;
    private readonly RotatingFile console;
    private readonly CancellationTokenSource startAborted = new();
    private readonly CancellationTokenSource ended = new();
    private readonly TaskCompletionSource<SupervisorStatus> finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ControlClient? control;
    private string token = "";
    private volatile bool forced;

    public SupervisedSandbox(string directory, SupervisorSpec spec, ISandboxRuntime runtime, SupervisorLog log)
    {
        this.directory = directory;
        this.runtime = runtime;
        this.log = log;
        Spec = spec;
        Board = new StatusBoard(Activity);
        Pulse = new GuestPulse(runtime.PingAsync, () => Board.Phase != SupervisorPhase.Running || Stillness!.IsHeld);
        Processes = new LaunchedProcesses(runtime, Pulse, Board, Activity, spec, log);
        Board.RunningProcesses = () => Processes.Count;
        Ports = new PublishedPorts(new PortConnections(ConnectAsync, Activity, log), log);
        Pausing = new Pausing(runtime, Board, () => Spec.Runtime is "gvisor" or "vm" ? control : null, () => new SavedSandbox { Token = token, Launched = Processes.Followed }, log);
        Stillness = new Stillness(runtime, Board, Pausing, log);
        console = new RotatingFile(Path.Combine(spec.LogDirectory, "console.log"), spec.LogMaxBytes);
    }

    /// <summary>What it was made from.</summary>
    public SupervisorSpec Spec { get; private set; }

    /// <summary>Its status and events.</summary>
    public StatusBoard Board { get; }

    /// <summary>For the idle timer.</summary>
    public Activity Activity { get; } = new(TimeProvider.System);

    /// <summary>Whether its agent answers.</summary>
    public GuestPulse Pulse { get; }

    /// <summary>Its one-time tickets.</summary>
    public TicketOffice Tickets { get; } = new(TimeProvider.System);

    /// <summary>Its ports on the host.</summary>
    public PublishedPorts Ports { get; }

    /// <summary>Processes the supervisor itself stays attached to.</summary>
    public LaunchedProcesses Processes { get; }

    /// <summary>Freezes it, thaws it, saves it.</summary>
    public Pausing Pausing { get; }

    /// <summary>Holds it still for snapshots.</summary>
    public Stillness Stillness { get; }

    /// <summary>Completes with the final status when everything is released.</summary>
    public Task<SupervisorStatus> Finished => finished.Task;

    /// <summary>Static facts and the status.</summary>
    public SupervisorInfo Info => new()
    {
        SandboxId = Spec.SandboxId,
        Protocol = SupervisorMethod.Protocol,
        OldestProtocol = SupervisorMethod.OldestProtocol,
        Version = SupervisorVersion.Text,
        Pid = Environment.ProcessId,
        EnginePid = runtime.EnginePid,
        Engine = Spec.Engine,
        EngineVersion = Spec.EngineVersion,
        Capabilities = runtime.Capabilities,
        Status = Board.Now,
    };

    /// <summary>Starts the sandbox and returns its final status when it has ended, for whatever reason. Never throws.</summary>
    public async Task<SupervisorStatus> RunAsync()
    {
        // First of all: a port that is taken is said before anything was made.
        var exit = await RefusedPortAsync().ConfigureAwait(false) ?? await LiveAsync().ConfigureAwait(false);

        await ended.CancelAsync().ConfigureAwait(false);
        await Ports.DisposeAsync().ConfigureAwait(false);
        if (control is not null)
        {
            await control.DisposeAsync().ConfigureAwait(false);
        }

        await Processes.DisposeAsync().ConfigureAwait(false);
        exit = forced ? exit : Pausing.Completed(exit);
        var orderly = exit.Reason is CheckpointParams.PausedToDisk || exit.Reason is "requested" or "forced" || exit is { Reason: "guest_exited", ExitCode: 0 };
        log.Write($"ended: {exit.Reason}: {exit.Message}");
        return Board.Now with
        {
            Phase = orderly ? SupervisorPhase.Stopped : SupervisorPhase.Failed,
            Reason = exit.Reason,
            Message = exit.Message,
        };
    }

    /// <summary>Tells everybody how it ended; called when everything is released.</summary>
    public void Announce(SupervisorStatus end)
    {
        Board.Set(end.Phase, end.Reason, end.Message);
        finished.TrySetResult(end);
    }

    /// <summary>Asks the guest to end, escalates at the deadline, and returns when everything is released. During the start there is no guest to ask.</summary>
    public async Task StopAsync(TimeSpan deadline, string? why, CancellationToken cancellationToken)
    {
        log.Write($"stop asked for: {why ?? "no reason given"}");
        if (Board.Phase is SupervisorPhase.Paused or SupervisorPhase.Pausing)
        {
            // A frozen guest cannot answer.
            await runtime.ResumeAsync(cancellationToken).ConfigureAwait(false);
        }

        Board.Set(SupervisorPhase.Stopping, why);
        await StopRuntimeAsync(StopMode.Graceful, deadline, cancellationToken).ConfigureAwait(false);
        await Finished.WaitAsync(ForceDeadline, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Kills everything now; works in every phase and overtakes a graceful stop.</summary>
    public async Task ForceStopAsync(CancellationToken cancellationToken)
    {
        log.Write("forced stop asked for");
        forced = true;
        Board.Set(SupervisorPhase.Stopping, "forced");
        await StopRuntimeAsync(StopMode.Forced, ForceDeadline, cancellationToken).ConfigureAwait(false);
        await Finished.WaitAsync(ForceDeadline, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Saves processes and memory and ends; goes on running when that fails. Seen through once begun, whoever waits.</summary>
    public async Task PauseToDiskAsync(string saveTo, CancellationToken cancellationToken)
    {
        await Pausing.ToDiskAsync(saveTo, () => runtime.StopAsync(StopMode.Forced, ForceDeadline, CancellationToken.None), cancellationToken).ConfigureAwait(false);
        await Finished.WaitAsync(ForceDeadline, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Opens a stream to a guest port.</summary>
    public ValueTask<DuplexStream> ConnectAsync(int port, CancellationToken cancellationToken)
    {
        RequireRunning($"connect to guest port {port}");
        return runtime.ConnectAsync(port, cancellationToken);
    }

    /// <summary>Starts a process whose output is logged.</summary>
    public Task<int> LaunchAsync(ExecRequest request, CancellationToken cancellationToken)
    {
        RequireRunning("launch a process");
        return Processes.LaunchAsync(request, cancellationToken);
    }

    /// <summary>A sandbox made ahead of need gets its name and settings; from here on it counts as used.</summary>
    public async Task AdoptAsync(AdoptParams settings, CancellationToken cancellationToken)
    {
        var next = Spec with
        {
            Name = settings.Name,
            Hostname = settings.Hostname,
            Env = settings.Env,
            DefaultUser = settings.DefaultUser,
            DefaultCwd = settings.DefaultCwd,
        };
        await Provisioning.ConfigureAsync(Control("configure"), next, cancellationToken).ConfigureAwait(false);
        Spec = next;
        Activity.Touch();
        log.Write($"adopted as {settings.Name}");
    }

    /// <summary>The control connection of a running sandbox.</summary>
    public ControlClient Control(string what)
    {
        RequireRunning(what);
        return control!;
    }

    /// <summary>What the host measures and, from a running guest, what it says of itself.</summary>
    public async Task<SandboxUsage> StatsAsync(CancellationToken cancellationToken)
    {
        var usage = await runtime.StatsAsync(cancellationToken).ConfigureAwait(false);
        if (Board.Phase != SupervisorPhase.Running || control is null)
        {
            return usage;
        }

        try
        {
            return usage with { Guest = await control.GetStatsAsync(TimeSpan.FromSeconds(2), cancellationToken).ConfigureAwait(false) };
        }
        catch (VivariumException e)
        {
            log.Write("the guest did not say its stats", e);
            return usage; // a starved guest must not hide what the host knows
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await runtime.DisposeAsync().ConfigureAwait(false);
        await console.DisposeAsync().ConfigureAwait(false);
        Pausing.Dispose();
        startAborted.Dispose();
        ended.Dispose();
    }

    private async Task<RuntimeExit?> RefusedPortAsync()
    {
        try
        {
            await Ports.PublishAllAsync(Spec.Ports).ConfigureAwait(false);
            return null;
        }
        catch (VivariumException e)
        {
            return new RuntimeExit(e.Reason ?? "port_refused", e.Message, null);
        }
    }

    private async Task<RuntimeExit> LiveAsync()
    {
        try
        {
            await StartAsync().ConfigureAwait(false);
            return await runtime.Exited.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            log.Write("the start failed", e);
            return await EndFailedStartAsync(e is VivariumException ? e.Message : $"the sandbox could not be started: {e.Message}").ConfigureAwait(false);
        }
    }

    private async Task StartAsync()
    {
        token = KernelRandom.Hex(32);
        Board.Set(SupervisorPhase.Booting);
        var options = new RuntimeStartOptions { Spec = Spec, StateDirectory = directory, Token = token, Console = console };
        var saved = Spec.RestorePath is null ? null : SavedState.Read(Spec.RestorePath);
        await (saved is null ? runtime.StartAsync(options, startAborted.Token) : runtime.RestoreAsync(options, Spec.RestorePath!, startAborted.Token)).ConfigureAwait(false);
        log.Write($"engine {Spec.Engine} has {(saved is null ? "started" : "brought back")} the init, pid {runtime.EnginePid}");
        Confinement.Apply(log);

        Board.Set(SupervisorPhase.Provisioning);
        var connection = new ControlClient(await runtime.ConnectAsync(GuestPort.Control, startAborted.Token).ConfigureAwait(false));
        control = connection;
        var hello = await Provisioning.HelloAsync(connection, saved?.Token ?? token, startAborted.Token).ConfigureAwait(false);
        log.Write($"the guest said hello: {hello.Version}, boot {hello.BootId}");
        if (saved is not null)
        {
            Board.BootId = await Provisioning.BroughtBackAsync(connection, Spec, token, startAborted.Token).ConfigureAwait(false);
            await Processes.FollowAgainAsync(saved.Launched, startAborted.Token).ConfigureAwait(false);
        }
        else
        {
            Board.BootId = hello.BootId;
            await Provisioning.ConfigureAsync(connection, Spec, startAborted.Token).ConfigureAwait(false);
            if (Spec.NewMachineId is { } machineId)
            {
                await Provisioning.RenewAsync(connection, machineId, startAborted.Token).ConfigureAwait(false);
            }
        }

        Board.Set(SupervisorPhase.Running);
        Ports.Open();
        log.Write("running");
        _ = ReportOomAsync(connection);
    }

    private async Task<RuntimeExit> EndFailedStartAsync(string failure)
    {
        try
        {
            await runtime.StopAsync(StopMode.Forced, ForceDeadline, CancellationToken.None).ConfigureAwait(false);
        }
        catch (VivariumException)
        {
            // It had not even begun.
            return startAborted.IsCancellationRequested ? new RuntimeExit(forced ? "forced" : "requested", "the sandbox was stopped before it started", null) : new RuntimeExit("start_failed", failure, null);
        }

        var exit = await runtime.Exited.ConfigureAwait(false);
        return startAborted.IsCancellationRequested ? new RuntimeExit(forced ? "forced" : "requested", "the sandbox was stopped while it started", exit.ExitCode)
            : exit.Reason is "forced" or "start_failed" ? new RuntimeExit("start_failed", failure, exit.ExitCode)
            : exit;
    }

    private async Task StopRuntimeAsync(StopMode mode, TimeSpan deadline, CancellationToken cancellationToken)
    {
        // A start under way is given up; a runtime not started yet never will be.
        if (Board.BootId is null || mode == StopMode.Forced)
        {
            await startAborted.CancelAsync().ConfigureAwait(false);
            mode = StopMode.Forced;
        }

        try
        {
            await runtime.StopAsync(mode, deadline, cancellationToken).ConfigureAwait(false);
        }
        catch (VivariumException e) when (e.Reason == "not_started")
        {
            // The start sees its cancellation.
        }
    }

    private async Task ReportOomAsync(ControlClient connection)
    {
        try
        {
            await using var oom = new SandboxCgroup(Spec.CgroupPath).WatchOom();
            while (oom is not null && await oom.NextAsync(ended.Token).ConfigureAwait(false) is { } kills)
            {
                log.Write($"the out-of-memory killer has struck {kills} times");
                Board.OomStruck();
                await connection.RequestAckAsync(ControlType.Oom, new OomPayload { Kills = kills }, GuestJson.Default.OomPayload, null, ended.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or VivariumException or ObjectDisposedException)
        {
            log.Write("out-of-memory kills are no longer watched", e);
        }
    }

    private void RequireRunning(string what)
    {
        if (Board.Phase != SupervisorPhase.Running)
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"cannot {what}: the sandbox is {Board.Phase}", reason: "not_running");
        }
    }
}
