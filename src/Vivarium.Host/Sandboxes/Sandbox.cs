using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Vivarium.Host.Operations;
using Vivarium.Host.Supervision;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// One sandbox: its record, its gate and its connection to the supervisor. A single reader takes messages in turn and lets at most one
/// operation run; that operation (or, between operations, the reader) is the only writer of the record. Readers see immutable records.
/// </summary>
/// <remarks>
/// <code>
///   create ─► creating ─► running ─pause─► pausing ─► paused
///                 │         ▲  │  ◄─ resuming ◄─resume──┘
///                 │         │  ├─stop─► stopping ─► stopped ─start─► starting ─► running
///                 │         │  └─supervisor or guest died─► stopping ─► failed ─start─┘
///                 ▼
///               gone   (a failed create leaves nothing)
///
///   any state ─destroy─► destroying ─► gone     cancels what runs, waits for its undoing, always wins
/// </code>
/// While an operation runs every other is refused (<c>operation_in_progress</c>) but destroy; a second destroy joins the first.
/// </remarks>
internal sealed partial class Sandbox
{
    private readonly Channel<Message> inbox = Channel.CreateUnbounded<Message>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ILogger logger;
    private readonly Func<Sandbox, DestroyMode, Task> destroy;
    private readonly Func<Sandbox, CancellationToken, Task> collect;
    private readonly TaskCompletionSource gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private SandboxRecord record;
    private SupervisorLink? link;
    private (string Reason, string Message)? explanation;

    /// <summary>Starts the actor.</summary>
    /// <param name="record">What the sandbox is.</param>
    /// <param name="destroy">Ends it for good; publishes <c>gone</c>.</param>
    /// <param name="collect">Deals with a supervisor that is over; takes its link away.</param>
    /// <param name="logger">For what nobody waits for.</param>
    public Sandbox(SandboxRecord record, Func<Sandbox, DestroyMode, Task> destroy, Func<Sandbox, CancellationToken, Task> collect, ILogger logger)
    {
        this.record = record;
        this.destroy = destroy;
        this.collect = collect;
        this.logger = logger;
        _ = Task.Run(RunAsync);
    }

    /// <summary>What the sandbox is now.</summary>
    public SandboxRecord Record => Volatile.Read(ref record);

    /// <summary>The connection to its supervisor, while there is one.</summary>
    public SupervisorLink? Link => Volatile.Read(ref link);

    /// <summary>Turns wait for each other here instead of being refused.</summary>
    public Turnstile Turning { get; } = new();

    /// <summary>Tools that run in it now.</summary>
    public ToolsInFlight Tools { get; } = new();

    /// <summary>Completes when the sandbox is gone: no process is left and its name is free.</summary>
    public Task Gone => gone.Task;

    /// <summary>Completes when a new daemon has found out what became of the sandbox; at once for one it made itself.</summary>
    public Task Settled { get; private set; } = Task.CompletedTask;

    /// <summary>Says that what the record holds is not verified until the task completes.</summary>
    public void SettleBy(Task task) => Settled = task;

    /// <summary>Replaces the record. Only the running operation may.</summary>
    public void Publish(SandboxRecord next) => Volatile.Write(ref record, next);

    /// <summary>Takes a supervisor's connection over, or gives it up. Only the running operation may.</summary>
    public void Attach(SupervisorLink? next)
    {
        Volatile.Write(ref link, next);
        next?.WhenOver(() => inbox.Writer.TryWrite(new SupervisorOver(next)));
    }

    /// <summary>Says why the sandbox is about to end, for the record its destruction leaves in the event log.</summary>
    public void Explain(string reason, string message) => explanation = (reason, message);

    /// <summary>Why it ends, when somebody said so.</summary>
    public (string Reason, string Message)? Explanation => explanation;

    /// <summary>The supervisor's connection, or <c>unavailable</c>.</summary>
    public SupervisorLink RequireLink(string verb) => Link ?? throw new VivariumException(
        ErrorCode.Unavailable, $"{verb} sandbox {Record.Name}: its supervisor is not connected", "Try again; viv show says how it is.", "not_connected");

    /// <summary>Lets go of the supervisor without a consequence: the daemon is stopping, the sandbox goes on.</summary>
    public async Task DetachAsync(SupervisorLink from)
    {
        inbox.Writer.TryComplete();
        Volatile.Write(ref link, null);
        await from.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Ends the actor of a sandbox that was never listed and gives its supervisor's connection away, if it has one.</summary>
    public SupervisorLink? Abandon()
    {
        inbox.Writer.TryComplete();
        return Interlocked.Exchange(ref link, null);
    }

    /// <summary>Runs an operation under the gate, or refuses it.</summary>
    public Task<T> PerformAsync<T>(GateRules rules, Func<CancellationToken, Task<T>> body)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var perform = new Perform(rules, token => CompleteAsync(result, body, token), error => result.TrySetException(error));
        if (!inbox.Writer.TryWrite(perform))
        {
            result.TrySetException(rules.Gone(Record));
        }

        return result.Task;
    }

    /// <summary>Destroys the sandbox whatever runs; completes when its processes are gone.</summary>
    public Task DestroyAsync(DestroyMode mode)
    {
        var result = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return inbox.Writer.TryWrite(new Destroy(mode, result)) ? result.Task : gone.Task;
    }

    /// <summary>Runs an operation; what comes back tells its caller, and is called when the gate is open again: who hears of the end may ask for the next at once.</summary>
    private static async Task<Action> CompleteAsync<T>(TaskCompletionSource<T> result, Func<CancellationToken, Task<T>> body, CancellationToken token)
    {
        try
        {
            var value = await body(token).ConfigureAwait(false);
            return () => result.TrySetResult(value);
        }
        catch (Exception e)
        {
            return () => result.TrySetException(e);
        }
    }

    private async Task RunAsync()
    {
        var running = default(RunningOperation);
        var destroys = new List<TaskCompletionSource>();
        var destroyMode = DestroyMode.Orderly;
        await foreach (var message in inbox.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            switch (message)
            {
                case Perform perform when destroys.Count > 0:
                    perform.Refuse(perform.Rules.Gone(Record));
                    break;
                case Perform perform when running is not null:
                    perform.Refuse(perform.Rules.Busy(Record, running.Rules));
                    break;
                case Perform perform when perform.Rules.From.Count > 0 && !perform.Rules.From.Contains(Record.State):
                    perform.Refuse(perform.Rules.WrongState(Record));
                    break;
                case Perform perform:
                    running = Begin(perform.Rules, perform.Body);
                    break;
                case Destroy wanted:
                    destroys.Add(wanted.Done);
                    destroyMode = wanted.Mode == DestroyMode.Now ? DestroyMode.Now : destroyMode;
                    running?.Cancel();
                    break;
                case DestroyFailed failed:
                    destroys.ForEach(waiting => waiting.TrySetException(failed.Why));
                    destroys.Clear();
                    break;
                case OperationOver over when ReferenceEquals(over.Operation, running):
                    running = null;
                    break;
                default:
                    break;
            }

            if (running is not null)
            {
                continue;
            }

            if (Record.State == SandboxState.Gone)
            {
                break;
            }

            if (destroys.Count > 0)
            {
                var mode = destroyMode;
                running = Begin(GateRules.Destroy, _ => SilentAsync(DestroyOnceAsync(mode)));
            }
            else if (Link is { IsOver: true })
            {
                running = Begin(GateRules.Collect, token => SilentAsync(collect(this, token)));
            }
        }

        Finish(destroys);
    }

    private async Task DestroyOnceAsync(DestroyMode mode)
    {
        try
        {
            await destroy(this, mode).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The next destroy tries again; those who waited for this one hear why.
            LogDestroyFailed(e, Record.Id.Value);
            inbox.Writer.TryWrite(new DestroyFailed(e));
        }
    }

    private RunningOperation Begin(GateRules rules, Func<CancellationToken, Task<Action>> body)
    {
        var operation = new RunningOperation(rules);
        _ = Task.Run(async () =>
        {
            var answer = static () => { };
            try
            {
                answer = await body(operation.Token).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                LogOperationFailed(e, rules.Verb, Record.Id.Value);
            }
            finally
            {
                inbox.Writer.TryWrite(new OperationOver(operation));
            }

            answer();
        });
        return operation;
    }

    private static async Task<Action> SilentAsync(Task work)
    {
        await work.ConfigureAwait(false);
        return static () => { };
    }

    private void Finish(List<TaskCompletionSource> destroys)
    {
        inbox.Writer.TryComplete();
        while (inbox.Reader.TryRead(out var late))
        {
            switch (late)
            {
                case Perform perform:
                    perform.Refuse(perform.Rules.Gone(Record));
                    break;
                case Destroy wanted:
                    wanted.Done.TrySetResult();
                    break;
                default:
                    break;
            }
        }

        foreach (var waiting in destroys)
        {
            waiting.TrySetResult();
        }

        gone.TrySetResult();
    }

    private abstract record Message;

    private sealed record Perform(GateRules Rules, Func<CancellationToken, Task<Action>> Body, Action<VivariumException> Refuse) : Message;

    private sealed record Destroy(DestroyMode Mode, TaskCompletionSource Done) : Message;

    private sealed record DestroyFailed(Exception Why) : Message;

    private sealed record OperationOver(RunningOperation Operation) : Message;

    private sealed record SupervisorOver(SupervisorLink Link) : Message;

#pragma warning disable CA1001 // Its token source has no timer and links to nothing: there is nothing to release.
    private sealed class RunningOperation(GateRules rules)
#pragma warning restore CA1001
    {
        private readonly CancellationTokenSource cancellation = new();

        public GateRules Rules => rules;

        public CancellationToken Token => cancellation.Token;

        public void Cancel() => cancellation.Cancel();
    }

    [LoggerMessage(EventId = 1201, Level = LogLevel.Error, Message = "{Verb} sandbox {SandboxId} failed")]
    private partial void LogOperationFailed(Exception exception, string verb, string sandboxId);

    [LoggerMessage(EventId = 1202, Level = LogLevel.Error, Message = "destroying sandbox {SandboxId} failed")]
    private partial void LogDestroyFailed(Exception exception, string sandboxId);
}

/// <summary>How a sandbox is destroyed.</summary>
internal enum DestroyMode
{
    /// <summary>The guest is asked first.</summary>
    Orderly,

    /// <summary>At once.</summary>
    Now,
}
