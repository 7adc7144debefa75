using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Guest;
using Vivarium.Runtimes.Ledger;
using Vivarium.Transport;
using Vivarium.Transport.Guest;
using Vivarium.Transport.Yamux;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes;

/// <summary>
/// What every engine whose guest connection is a pair of pipes has in common: the state machine, the connection, watching the end, stopping.
/// An engine adds how the agent is launched, killed and cleaned up after.
/// </summary>
/// <remarks>
/// <code>
///          StartAsync            launched              init ended, connection broke, stop
///   New ───────────────▶ Starting ─────────▶ Started ──────────────────────▶ Ended
///                           └──────────── launch failed or stopped ────────────▲
/// </code>
/// The state changes under a lock that is never held across a wait.
/// </remarks>
internal abstract class AgentRuntime : ISandboxRuntime
{
    private static readonly TimeSpan ExitAfterDisconnect = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan TermDeadline = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan KillDeadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan MaxAskDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan HoldDeadline = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan RestartDeadline = TimeSpan.FromSeconds(30);

    private readonly Lock gate = new();
    private readonly TaskCompletionSource<RuntimeExit> exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource aborted = new();
    private State state = State.New;
    private YamuxSession? session;
    private (string Reason, string Message)? stopCause;

    private enum State
    {
        New,
        Starting,
        Started,
        Ended,
    }

    /// <inheritdoc/>
    public abstract RuntimeCapabilities Capabilities { get; }

    /// <inheritdoc/>
    public Task<RuntimeExit> Exited => exited.Task;

    /// <inheritdoc/>
    public int EnginePid { get; private set; }

    /// <summary>Where what this sandbox makes on the host is written down.</summary>
    protected SandboxLedger Ledger { get; private set; } = null!;

    /// <inheritdoc/>
    public Task StartAsync(RuntimeStartOptions options, CancellationToken cancellationToken) =>
        BeginAsync(options, LaunchAsync, restores: false, cancellationToken);

    /// <inheritdoc/>
    public async Task StopAsync(StopMode mode, TimeSpan deadline, CancellationToken cancellationToken)
    {
        State now;
        lock (gate)
        {
            now = state;
            if (now == State.New)
            {
                throw NotStarted("stop");
            }

            // A forced stop overtakes a graceful one, and whoever stops a start under way forces it: there is no guest to ask yet.
            var forced = mode == StopMode.Forced || now == State.Starting;
            if (stopCause is null || forced)
            {
                stopCause = forced ? ("forced", "the sandbox was stopped by force") : ("requested", "the sandbox was stopped");
            }

            mode = forced ? StopMode.Forced : mode;
        }

        if (now != State.Ended)
        {
            if (mode == StopMode.Graceful)
            {
                await StopGracefullyAsync(deadline, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await aborted.CancelAsync().ConfigureAwait(false);
                await KillAsync(deadline > KillDeadline ? deadline : KillDeadline, cancellationToken).ConfigureAwait(false);
            }
        }

        await Exited.WaitAsync(KillDeadline, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<DuplexStream> ConnectAsync(int port, CancellationToken cancellationToken) =>
        await RunningSession($"connect to guest port {port}").OpenAsync(port, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public ValueTask<TimeSpan> PingAsync(CancellationToken cancellationToken) => RunningSession("ask the guest").PingAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<DuplexStream> StartStreamAsync(string id, CancellationToken cancellationToken)
    {
        var stream = await ConnectAsync(GuestPort.Streams, cancellationToken).ConfigureAwait(false);
        try
        {
            return await NamedStreamClient.StartAsync(stream, id, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public abstract Task PauseAsync(CancellationToken cancellationToken);

    /// <inheritdoc/>
    public abstract Task ResumeAsync(CancellationToken cancellationToken);

    /// <inheritdoc/>
    public virtual Task CheckpointAsync(string directory, CancellationToken cancellationToken) => throw CannotCheckpoint();

    /// <inheritdoc/>
    public virtual Task RestoreAsync(RuntimeStartOptions options, string directory, CancellationToken cancellationToken) => throw CannotCheckpoint();

    /// <inheritdoc/>
    public abstract Task<SandboxUsage> StatsAsync(CancellationToken cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        bool running;
        lock (gate)
        {
            running = state is State.Starting or State.Started;
        }

        if (running)
        {
            await StopAsync(StopMode.Forced, KillDeadline, CancellationToken.None).ConfigureAwait(false); // disposing cannot be given up half-way
        }

        aborted.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Name of the engine, for messages.</summary>
    protected abstract string EngineName { get; }

    /// <summary>Refuses by name what this engine cannot honour; called before anything changes.</summary>
    protected abstract void Validate(RuntimeStartOptions options);

    /// <summary>Starts the agent with <paramref name="pipes"/> as its descriptors 0 to 2 and returns its init. Cancelled by a stop.</summary>
    protected abstract Task<LaunchedAgent> LaunchAsync(RuntimeStartOptions options, AgentPipes pipes, ConsolePump console, CancellationToken cancellationToken);

    /// <summary>Kills every process of the sandbox; also while it is being launched, frozen, or gone.</summary>
    protected abstract Task KillAsync(TimeSpan deadline, CancellationToken cancellationToken);

    /// <summary>Releases what the engine made on the host, after every process has gone. Must not throw.</summary>
    protected abstract Task ReleaseAsync();

    /// <summary>How it ended when nobody asked: reason and sentence.</summary>
    protected abstract (string Reason, string Message) Explain(ChildExit exit);

    /// <summary>The error of a call that needs a running sandbox.</summary>
    protected VivariumException NotRunning(string what)
    {
        lock (gate)
        {
            return state == State.Ended
                ? new VivariumException(ErrorCode.FailedPrecondition, $"cannot {what}: the sandbox has ended", reason: "ended")
                : NotStarted(what);
        }
    }

    /// <summary>Throws unless the sandbox has been started and has not ended.</summary>
    protected void RequireRunning(string what) => _ = RunningSession(what);

    /// <summary>Runs a start (or restore) through the state machine.</summary>
    protected async Task BeginAsync(
        RuntimeStartOptions options,
        Func<RuntimeStartOptions, AgentPipes, ConsolePump, CancellationToken, Task<LaunchedAgent>> launch,
        bool restores,
        CancellationToken cancellationToken)
    {
        StartOptionsCheck.Require(options);
        Validate(options);
        lock (gate)
        {
            if (state != State.New)
            {
                throw new VivariumException(ErrorCode.FailedPrecondition, "cannot start the sandbox: it has been started already", reason: "already_started");
            }

            state = State.Starting;
        }

        using var start = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, aborted.Token);
        ConsolePump? console = null;
        AgentPipes? pipes = null;
        try
        {
            Ledger = SandboxLedger.OpenIn(options.StateDirectory);
            pipes = new AgentPipes();
            console = ConsolePump.Start(pipes.Errors, options.Console);
            var agent = await launch(options, pipes, console, start.Token).ConfigureAwait(false);
            pipes.CloseChildEnds();
            EnginePid = agent.Pid;
            var opened = new YamuxSession(pipes.FromAgent, pipes.ToAgent, YamuxRole.Client, new YamuxOptions { AcceptStreams = false, Restarts = restores });
            pipes = null; // the session's from now on
            lock (gate)
            {
                session = opened;
                if (stopCause is null)
                {
                    state = State.Started;
                }
            }

            _ = WatchAsync(agent, opened, console);
            start.Token.ThrowIfCancellationRequested();
            await opened.RestartedAsync(start.Token).WaitAsync(RestartDeadline, start.Token).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            pipes?.Dispose();
            throw await FailStartAsync(e, console, cancellationToken).ConfigureAwait(false);
        }
    }

    private static VivariumException NotStarted(string what) =>
        new(ErrorCode.FailedPrecondition, $"cannot {what}: the sandbox has not been started", reason: "not_started");

    /// <summary>The error of an engine that saves no memory.</summary>
    protected VivariumException CannotCheckpoint() => new(
        ErrorCode.Unimplemented, $"cannot save or restore memory: engine {EngineName} does not do that here", "Use the gvisor runtime with a runsc of 2024 or newer.", "memory_snapshots_not_available");

    /// <summary>Returns when nothing is under way on the guest connection; <see cref="ContinueConnection"/> ends it, also after a failure.</summary>
    protected async Task HoldConnectionAsync(CancellationToken cancellationToken)
    {
        try
        {
            await RunningSession("hold the guest connection").HoldAsync(cancellationToken).WaitAsync(HoldDeadline, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw new VivariumException(
                ErrorCode.DeadlineExceeded, $"the guest did not fall silent within {HoldDeadline.TotalSeconds:0} s", "It may be starved of memory or CPU; try again.", "guest_busy", e);
        }
    }

    /// <summary>The guest connection goes on where it was.</summary>
    protected void ContinueConnection()
    {
        lock (gate)
        {
            session?.Continue();
        }
    }

    private YamuxSession RunningSession(string what)
    {
        lock (gate)
        {
            if (state == State.Started && session is { } open)
            {
                return open;
            }
        }

        throw NotRunning(what);
    }

    private async Task<Exception> FailStartAsync(Exception cause, ConsolePump? console, CancellationToken cancellationToken)
    {
        // Whatever was begun is undone; the caller's own cancellation must not stop that.
        await KillAsync(KillDeadline, CancellationToken.None).ConfigureAwait(false);
        if (session is null)
        {
            await ReleaseAsync().ConfigureAwait(false);
            await EndAsync(new RuntimeExit(stopCause?.Reason ?? "start_failed", stopCause?.Message ?? cause.Message, null)).ConfigureAwait(false);
        }

        await Exited.WaitAsync(KillDeadline, CancellationToken.None).ConfigureAwait(false);
        return cause switch
        {
            VivariumException => cause,
            OperationCanceledException when cancellationToken.IsCancellationRequested => cause,
            OperationCanceledException => new VivariumException(ErrorCode.Canceled, "the start was cut short: the sandbox was stopped", reason: "stopped", inner: cause),
            _ => new VivariumException(
                ErrorCode.Unavailable, $"cannot start the sandbox with {EngineName}: {Said(console) ?? cause.Message}", "viv doctor shows which engines work here", "start_failed", cause),
        };
    }

    private static string? Said(ConsolePump? console) => console?.LastLine is { Length: > 0 } line ? line : null;

    private async Task StopGracefullyAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        if (await AskGuestAsync(deadline, cancellationToken).ConfigureAwait(false) || await EndedWithin(SignalInit(Signals.SIGTERM) ? TermDeadline : TimeSpan.Zero, cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        await KillAsync(KillDeadline, cancellationToken).ConfigureAwait(false);
    }

    private async Task<bool> AskGuestAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        using var asking = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        asking.CancelAfter(deadline < MaxAskDeadline ? deadline : MaxAskDeadline);
        try
        {
            await using var control = await ConnectAsync(GuestPort.Control, asking.Token).ConfigureAwait(false);
            await control.WriteAsync("{\"type\":\"shutdown\"}\n"u8.ToArray(), asking.Token).ConfigureAwait(false);

            // The stream must stay open until the guest has read the request; its end is what is waited for.
            return await EndedWithin(deadline, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is VivariumException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return Exited.IsCompleted; // it cannot be asked: the next, harder step
        }
    }

    private bool SignalInit(int signal)
    {
        lock (gate)
        {
            return state == State.Started && Signals.Send(EnginePid, signal);
        }
    }

    private async Task<bool> EndedWithin(TimeSpan time, CancellationToken cancellationToken)
    {
        try
        {
            await Exited.WaitAsync(time, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task WatchAsync(LaunchedAgent agent, YamuxSession connection, ConsolePump console)
    {
        string? broken = null;
        if (await Task.WhenAny(agent.Exited, connection.Completed).ConfigureAwait(false) != agent.Exited)
        {
            // The connection usually breaks because the agent ends; one that broke it and lives on is ended.
            var end = await connection.Completed.ConfigureAwait(false);
            broken = end.Message;
            try
            {
                await agent.Exited.WaitAsync(ExitAfterDisconnect).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                await KillAsync(KillDeadline, CancellationToken.None).ConfigureAwait(false);
            }
        }

        var exit = await agent.Exited.ConfigureAwait(false);
        await KillAsync(KillDeadline, CancellationToken.None).ConfigureAwait(false); // what the init left behind
        var (reason, message) = stopCause ?? Explain(exit);
        if (stopCause is null && broken is not null && reason == "guest_exited")
        {
            message = $"{message}; the guest connection had ended: {broken}";
        }

        await connection.DisposeAsync().ConfigureAwait(false);
        await ReleaseAsync().ConfigureAwait(false);
        await EndAsync(new RuntimeExit(reason, message, exit.Code)).ConfigureAwait(false);
        _ = console.Completed; // ends with the last holder of the pipe
    }

    private Task EndAsync(RuntimeExit exit)
    {
        lock (gate)
        {
            state = State.Ended;
        }

        Ledger?.Dispose();
        exited.TrySetResult(exit);
        return Task.CompletedTask;
    }
}

/// <summary>An agent that runs.</summary>
/// <param name="Pid">Pid of its init on the host.</param>
/// <param name="Exited">Completes when the init has ended.</param>
internal sealed record LaunchedAgent(int Pid, Task<ChildExit> Exited);
