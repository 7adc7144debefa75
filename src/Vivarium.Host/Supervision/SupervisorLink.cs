using Vivarium.Host.Timers;
using Vivarium.Transport;
using Vivarium.Transport.Guest;
using Vivarium.Transport.Supervisor;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Supervision;

/// <summary>
/// The daemon's standing connection to one supervisor: control calls, and its events. It costs a socket and no timer; when the supervisor dies the
/// kernel ends the connection, which is how its death is noticed.
/// </summary>
internal sealed class SupervisorLink : IAsyncDisposable
{
    /// <summary>How long a supervisor may take to answer a control call that waits for nothing else.</summary>
    public static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(10);

    /// <summary>How long it may take to save a sandbox's memory.</summary>
    private static readonly TimeSpan SaveTime = TimeSpan.FromMinutes(15);

    /// <summary>As that, for what the supervisor asks the guest: it notices and says itself that the guest is silent (13 s), which is the better answer.</summary>
    private static readonly TimeSpan GuestAnswerTime = TimeSpan.FromSeconds(20);

    private readonly Lock gate = new();
    private readonly SupervisorClient client;
    private readonly TimeProvider time;
    private readonly List<(Func<SupervisorStatus, bool> Wanted, TaskCompletionSource<SupervisorStatus> Found)> waiters = [];
    private readonly List<Action> whenOver = [];
    private readonly List<Action<int, ExecControl?>> processListeners = [];
    private SupervisorStatus status;
    private bool over;
    private long oomAt;

    private SupervisorLink(SupervisorClient client, SupervisorInfo info, string socket, TimeProvider time)
    {
        this.client = client;
        this.time = time;
        Info = info;
        Socket = socket;
        status = info.Status;
        Incompatible = SupervisorProtocols.Mismatch(info);
    }

    /// <summary>Who it is.</summary>
    public SupervisorInfo Info { get; }

    /// <summary>Path of its socket.</summary>
    public string Socket { get; }

    /// <summary>
    /// Why this daemon cannot work with it, a sentence; null when it can. Then it is only watched and, by force, ended: its sandbox goes on running.
    /// </summary>
    public string? Incompatible { get; }

    /// <summary>Its last known status.</summary>
    public SupervisorStatus Status => Volatile.Read(ref status);

    /// <summary>True when the connection has ended or the supervisor has said its last phase.</summary>
    public bool IsOver
    {
        get
        {
            lock (gate)
            {
                return over;
            }
        }
    }

    /// <summary>Connects, subscribes to events and asks who it is; in this order, so that no phase is missed.</summary>
    public static async Task<SupervisorLink> OpenAsync(string socket, TimeProvider time, CancellationToken cancellationToken)
    {
        using var deadline = new Deadline(time, AnswerTime, cancellationToken);
        SupervisorLink? link = null;
        var early = new List<SupervisorEvent>();
        var client = await SupervisorClient.ConnectAsync(socket, Hear, deadline.Token).ConfigureAwait(false);
        try
        {
            await client.SubscribeAsync(deadline.Token).ConfigureAwait(false);
            var info = await client.InfoAsync(deadline.Token).ConfigureAwait(false);
            var opened = new SupervisorLink(client, info, socket, time);
            lock (early)
            {
                // An event may have overtaken the answer on its way here. Every change of phase is an event, so the last event heard is right or
                // will be followed by another; the answer counts only when there was none.
                link = opened;
                if (early.FindLast(static e => e.Status is not null) is { } last)
                {
                    opened.Take(last);
                }
            }

            _ = client.Ended.ContinueWith(_ => opened.End(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            if (IsLast(info.Status))
            {
                opened.End();
            }

            return opened;
        }
        catch
        {
            await client.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        void Hear(SupervisorEvent e)
        {
            lock (early)
            {
                if (link is null)
                {
                    early.Add(e);
                    return;
                }
            }

            link.Take(e);
        }
    }

    /// <summary>Calls once when the connection is over, at once if it is already.</summary>
    public void WhenOver(Action action)
    {
        lock (gate)
        {
            if (!over)
            {
                whenOver.Add(action);
                return;
            }
        }

        action();
    }

    /// <summary>Waits for a status; the end of the connection throws <c>unavailable</c> unless the last status fits.</summary>
    public async Task<SupervisorStatus> WaitAsync(Func<SupervisorStatus, bool> wanted, TimeSpan patience, CancellationToken cancellationToken)
    {
        var found = new TaskCompletionSource<SupervisorStatus>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            if (wanted(status))
            {
                return status;
            }

            if (over)
            {
                throw Lost();
            }

            waiters.Add((wanted, found));
        }

        try
        {
            return await found.Task.WaitAsync(patience, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new VivariumException(
                ErrorCode.DeadlineExceeded, $"the sandbox was still {Status.Phase} after {patience.TotalSeconds:0} s", "Look at its console log and at viv doctor.", "too_slow");
        }
        finally
        {
            lock (gate)
            {
                waiters.RemoveAll(w => w.Found == found);
            }
        }
    }

    public Task<SupervisorStatus> StatusAsync(CancellationToken cancellationToken) => AskAsync(client.StatusAsync, cancellationToken);

    public Task<SupervisorInfo> InfoAsync(CancellationToken cancellationToken) => AskAsync(client.InfoAsync, cancellationToken);

    public Task<SandboxUsage> StatsAsync(CancellationToken cancellationToken) => AskAsync(client.StatsAsync, cancellationToken);

    public Task<TicketReply> TicketAsync(int port, CancellationToken cancellationToken) =>
        AskAsync(token => client.TicketAsync(new TicketParams { Port = port }, token), cancellationToken);

    public Task<LaunchReply> LaunchAsync(ExecRequest request, CancellationToken cancellationToken) =>
        AskGuestAsync(token => client.LaunchAsync(new LaunchParams { Request = request }, token), cancellationToken);

    public Task<ProcessesPayload> ProcessesAsync(CancellationToken cancellationToken) => AskGuestAsync(client.ProcessesAsync, cancellationToken);

    public Task KillProcessAsync(KillProcessPayload kill, CancellationToken cancellationToken) => AskGuestAsync(token => client.KillProcessAsync(kill, token), cancellationToken);

    public Task<PublishedPort> PublishAsync(PublishedPort port, CancellationToken cancellationToken) => AskAsync(token => client.PublishAsync(port, token), cancellationToken);

    public Task UnpublishAsync(PublishedPort port, CancellationToken cancellationToken) => AskAsync(token => client.UnpublishAsync(port, token), cancellationToken);

    public Task<PublishedPortsReply> PortsAsync(CancellationToken cancellationToken) => AskAsync(client.PortsAsync, cancellationToken);

    public Task<ListenersPayload> ListenersAsync(CancellationToken cancellationToken) => AskGuestAsync(client.ListenersAsync, cancellationToken);

    public Task SecretsAsync(SecretsParams secrets, CancellationToken cancellationToken) => AskGuestAsync(token => client.PutSecretsAsync(secrets, token), cancellationToken);

    /// <summary>Gives a sandbox made ahead of need its name and settings.</summary>
    public Task AdoptAsync(AdoptParams settings, CancellationToken cancellationToken) => AskGuestAsync(token => client.AdoptAsync(settings, token), cancellationToken);

    /// <summary>Opens a guest port as a raw stream.</summary>
    public Task<DuplexStream> ConnectAsync(int port, CancellationToken cancellationToken) => AskGuestAsync(token => client.OpenPortAsync(port, token), cancellationToken);

    /// <summary>Starts a process in the sandbox, or joins one.</summary>
    public Task<ExecClient> StartExecAsync(ExecRequest request, CancellationToken cancellationToken) => AskGuestAsync(token => client.StartExecAsync(request, token), cancellationToken);

    public Task PauseAsync(CancellationToken cancellationToken) => AskAsync(client.PauseAsync, cancellationToken);

    public Task ResumeAsync(CancellationToken cancellationToken) => AskAsync(client.ResumeAsync, cancellationToken);

    /// <summary>Holds the processes still for a snapshot.</summary>
    public Task FreezeAsync(FreezeParams how, CancellationToken cancellationToken) =>
        AskAsync(token => client.FreezeAsync(how, token), cancellationToken, how.MemoryDirectory is null ? AnswerTime : SaveTime);

    /// <summary>Pauses to disk; returns when the sandbox has ended.</summary>
    public Task CheckpointAsync(CheckpointParams where, CancellationToken cancellationToken) => AskAsync(token => client.CheckpointAsync(where, token), cancellationToken, SaveTime);

    /// <summary>Ends that.</summary>
    public Task<ThawReply> ThawAsync(CancellationToken cancellationToken) => AskAsync(client.ThawAsync, cancellationToken);

    /// <summary>Asks for an orderly stop; returns as soon as the supervisor took the request or is gone.</summary>
    public Task StopAsync(StopParams how, CancellationToken cancellationToken) => TellAsync(token => client.StopAsync(how, token), TimeSpan.FromMilliseconds(how.DeadlineMs ?? 10_000), cancellationToken);

    /// <summary>Ends the sandbox at once.</summary>
    public Task ForceStopAsync(CancellationToken cancellationToken) => TellAsync(token => client.ForceStopAsync(new StopParams(), token), TimeSpan.Zero, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        End();
        await client.DisposeAsync().ConfigureAwait(false);
    }

    private static bool IsLast(SupervisorStatus status) => status.Phase is SupervisorPhase.Stopped or SupervisorPhase.Failed;

    private static VivariumException Lost() => new(ErrorCode.Unavailable, "the supervisor of the sandbox is gone", "Look at the sandbox's state: viv show.", "supervisor_gone");

    /// <summary>Whether the out-of-memory killer has struck in the sandbox since then, a timestamp.</summary>
    public bool RanOutOfMemory(long since) => Volatile.Read(ref oomAt) is > 0 and var at && at >= since;

    /// <summary>Hears of the end of launched processes from now on; must be quick.</summary>
    public void OnProcessExited(Action<int, ExecControl?> action)
    {
        lock (gate)
        {
            processListeners.Add(action);
        }
    }

    private void Take(SupervisorEvent e)
    {
        if (e.Type == "oom")
        {
            Volatile.Write(ref oomAt, time.GetTimestamp());
        }

        if (e is { Type: "process_exited", Pid: { } pid })
        {
            Action<int, ExecControl?>[] hear;
            lock (gate)
            {
                hear = [.. processListeners];
            }

            foreach (var action in hear)
            {
                action(pid, e.Exit);
            }
        }

        if (e.Status is not { } next)
        {
            return;
        }

        lock (gate)
        {
            status = next;
            foreach (var (wanted, found) in waiters)
            {
                if (wanted(next))
                {
                    found.TrySetResult(next);
                }
            }
        }

        if (IsLast(next))
        {
            End();
        }
    }

    private void End()
    {
        Action[] actions;
        lock (gate)
        {
            if (over)
            {
                return;
            }

            over = true;
            foreach (var (_, found) in waiters)
            {
                found.TrySetException(Lost());
            }

            actions = [.. whenOver];
            whenOver.Clear();
        }

        foreach (var action in actions)
        {
            action();
        }
    }

    /// <summary>Refuses what needs more than watching a supervisor this daemon cannot speak to.</summary>
    public void RequireCompatible()
    {
        if (Incompatible is { } why)
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                why,
                "The sandbox goes on running. Use the daemon of its version, or end it: viv stop --force, viv rm --force.",
                SupervisorProtocols.Reason);
        }
    }

    private Task<T> AskGuestAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken) => AskAsync(call, cancellationToken, GuestAnswerTime);

    private Task AskGuestAsync(Func<CancellationToken, Task> call, CancellationToken cancellationToken) => AskAsync(call, cancellationToken, GuestAnswerTime);

    private async Task<T> AskAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken, TimeSpan? longest = null)
    {
        RequireCompatible();
        using var deadline = new Deadline(time, longest ?? AnswerTime, cancellationToken);
        try
        {
            return await call(deadline.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VivariumException(ErrorCode.DeadlineExceeded, "the supervisor of the sandbox did not answer in time", "viv rm --force ends it.", "supervisor_silent");
        }
        catch (IOException e)
        {
            throw new VivariumException(ErrorCode.Unavailable, "the supervisor of the sandbox is gone", "Look at the sandbox's state: viv show.", "supervisor_gone", e);
        }
    }

    private async Task AskAsync(Func<CancellationToken, Task> call, CancellationToken cancellationToken, TimeSpan? longest = null) =>
        await AskAsync(
            async token =>
            {
                await call(token).ConfigureAwait(false);
                return true;
            },
            cancellationToken,
            longest).ConfigureAwait(false);

    private async Task TellAsync(Func<CancellationToken, Task> call, TimeSpan more, CancellationToken cancellationToken)
    {
        // A supervisor may answer before, with or instead of its end: all three are fine, the end is proved elsewhere.
        using var deadline = new Deadline(time, AnswerTime + more, cancellationToken);
        try
        {
            await call(deadline.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or VivariumException { Code: ErrorCode.Unavailable } || (Incompatible is not null && e is VivariumException))
        {
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
        }
    }
}
