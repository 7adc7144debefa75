namespace Vivarium.Templates.Store;

/// <summary>
/// One build with any number of callers: each sees the progress, and the work is cancelled only when the last of them has given up.
/// </summary>
#pragma warning disable CA1001 // The source has neither timer nor handle, and the last waiter may cancel after the work has ended.
internal sealed class SharedBuild
#pragma warning restore CA1001
{
    private readonly Lock gate = new();
    private readonly List<Action<TemplateProgress>> listeners = [];
    private readonly CancellationTokenSource cancel = new();
    private readonly TaskCompletionSource<TemplateRecord> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TemplateProgress? last;
    private int waiting;
    private bool closed;

    /// <summary>Does the work; called once.</summary>
    internal async Task RunAsync(Func<Action<TemplateProgress>, CancellationToken, Task<TemplateRecord>> work)
    {
        try
        {
            var record = await work(Report, cancel.Token).ConfigureAwait(false);
            Close();
            completion.SetResult(record);
        }
        catch (OperationCanceledException)
        {
            Close();
            completion.SetCanceled(CancellationToken.None);
        }
        catch (Exception e)
        {
            Close();
            completion.SetException(e);
        }
    }

    // Before anybody hears of the end: who asks for a build after it wants a new one.
    private void Close()
    {
        lock (gate)
        {
            closed = true;
        }
    }

    /// <summary>Takes part; false when the build is over or being cancelled already, so that a new one must be begun.</summary>
    internal bool TryJoin(Action<TemplateProgress>? progress)
    {
        lock (gate)
        {
            if (closed)
            {
                return false;
            }

            waiting++;
            if (progress is not null)
            {
                listeners.Add(progress);
                if (last is not null)
                {
                    progress(last);
                }
            }

            return true;
        }
    }

    /// <summary>Waits for the end, after <see cref="TryJoin"/>.</summary>
    internal async Task<TemplateRecord> WaitAsync(Action<TemplateProgress>? progress, CancellationToken cancellationToken)
    {
        try
        {
            return await completion.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            var abandon = false;
            lock (gate)
            {
                waiting--;
                if (progress is not null)
                {
                    listeners.Remove(progress);
                }

                abandon = waiting == 0 && !completion.Task.IsCompleted;
                closed |= abandon;
            }

            if (abandon)
            {
                await cancel.CancelAsync().ConfigureAwait(false);
            }
        }
    }

    private void Report(TemplateProgress progress)
    {
        lock (gate)
        {
            last = progress;
            foreach (var listener in listeners)
            {
                listener(progress);
            }
        }
    }
}
