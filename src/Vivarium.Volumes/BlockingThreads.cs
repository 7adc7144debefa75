using System.Collections.Concurrent;

namespace Vivarium.Volumes;

/// <summary>
/// A few threads for system calls that block on the disk, so that they never hold threads of the pool (which grows slowly and serves everyone).
/// Threads start as needed, up to the limit, and end with the instance.
/// </summary>
internal sealed class BlockingThreads : IDisposable
{
    private readonly BlockingCollection<Action> queue = [];
    private readonly int limit;
    private readonly string name;
    private readonly Lock gate = new();
    private int started;
    private int outstanding;

    internal BlockingThreads(string name, int limit)
    {
        this.name = name;
        this.limit = limit;
    }

    /// <summary>Runs <paramref name="work"/> on one of the threads. Cancelling before it starts drops it; after that it is the work's own business.</summary>
    internal Task<T> RunAsync<T>(Func<T> work, CancellationToken cancellationToken)
    {
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            outstanding++;
            if (outstanding > started && started < limit)
            {
                started++;
                new Thread(Serve) { IsBackground = true, Name = $"{name}-{started}" }.Start();
            }
        }

        queue.Add(() => Execute(work, completion, cancellationToken), CancellationToken.None /* the queue has no bound, so this does not wait */);
        return completion.Task;
    }

    /// <summary>Runs work without a result.</summary>
    internal Task RunAsync(Action work, CancellationToken cancellationToken) => RunAsync(
        () =>
        {
            work();
            return true;
        },
        cancellationToken);

    /// <summary>Takes no more work; what is queued still runs.</summary>
    public void Dispose() => queue.CompleteAdding();

    private static void Execute<T>(Func<T> work, TaskCompletionSource<T> completion, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            completion.SetCanceled(cancellationToken);
            return;
        }

        try
        {
            completion.SetResult(work());
        }
        catch (OperationCanceledException e)
        {
            completion.SetCanceled(e.CancellationToken);
        }
        catch (Exception e)
        {
            completion.SetException(e);
        }
    }

    private void Serve()
    {
        foreach (var work in queue.GetConsumingEnumerable())
        {
            work();
            lock (gate)
            {
                outstanding--;
            }
        }
    }
}
