using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Operations;

/// <summary>
/// Work detached from the request that asked for it. It ends by itself or by <see cref="Cancel"/>, never because a caller left.
/// </summary>
#pragma warning disable CA1001 // Its token source has no timer and links to nothing: there is nothing to release, and a listener may cancel late.
public class Operation
#pragma warning restore CA1001
{
    /// <summary>Words of <see cref="OperationInfo.Status"/>.</summary>
    public const string Running = "running", Succeeded = "succeeded", Failed = "failed", Canceled = "canceled";

    private readonly Lock gate = new();
    private readonly TimeProvider time;
    private readonly List<Action<OperationEvent>> listeners = [];
    private readonly CancellationTokenSource cancellation = new();
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private OperationInfo info;

    internal Operation(string kind, TimeProvider time)
    {
        this.time = time;
        info = new OperationInfo
        {
            OperationId = OperationRegistry.NewId(),
            Kind = kind,
            Status = Running,
            StartedUnixMs = time.GetUtcNow().ToUnixTimeMilliseconds(),
        };
    }

    /// <summary>What there is to know now.</summary>
    public OperationInfo Info => Volatile.Read(ref info);

    /// <summary>Operation id.</summary>
    public string Id => info.OperationId;

    /// <summary>Completes, always successfully, when the work has ended either way.</summary>
    public Task Ended => ended.Task;

    internal CancellationToken Token => cancellation.Token;

    /// <summary>Asks the work to stop and undo what it did; it ends as <c>canceled</c> (or as it would have, when it was too late).</summary>
    public void Cancel() => cancellation.Cancel();

    /// <summary>Says which sandbox it is about.</summary>
    internal void Concerns(string sandboxId) => Change(i => i with { SandboxId = sandboxId });

    /// <summary>Says which template it made.</summary>
    internal void Made(string templateDigest) => Change(i => i with { TemplateDigest = templateDigest });

    /// <summary>Says what it left out or ignored.</summary>
    internal void Warn(IReadOnlyList<string> warnings) => Change(i => warnings.Count == 0 ? i : i with { Warnings = [.. i.Warnings ?? [], .. warnings] });

    /// <summary>Publishes progress. Listeners must not block.</summary>
    public void Report(string stage, double? fraction = null, string? message = null)
    {
        var progress = new OperationEvent { OperationId = Id, Stage = stage, Fraction = fraction, Message = message };
        Action<OperationEvent>[] now;
        lock (gate)
        {
            info = info with { Progress = progress };
            now = [.. listeners];
        }

        foreach (var listener in now)
        {
            listener(progress);
        }
    }

    /// <summary>Hears progress from the last one on, until disposed.</summary>
    public IDisposable Listen(Action<OperationEvent> listener)
    {
        OperationEvent? last;
        lock (gate)
        {
            listeners.Add(listener);
            last = info.Progress;
        }

        if (last is not null)
        {
            listener(last);
        }

        return new Subscription(this, listener);
    }

    internal void End(string status, ErrorInfo? error)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        Change(i => i with { Status = status, Error = error, EndedUnixMs = now });
        ended.SetResult();
    }

    private void Change(Func<OperationInfo, OperationInfo> change)
    {
        lock (gate)
        {
            info = change(info);
        }
    }

    private sealed class Subscription(Operation operation, Action<OperationEvent> listener) : IDisposable
    {
        public void Dispose()
        {
            lock (operation.gate)
            {
                operation.listeners.Remove(listener);
            }
        }
    }
}

/// <summary>An operation with a result.</summary>
public sealed class Operation<T> : Operation
{
    internal Operation(string kind, TimeProvider time)
        : base(kind, time)
    {
    }

    /// <summary>The work itself: its result or its exception.</summary>
    public Task<T> Result { get; internal set; } = null!;
}
