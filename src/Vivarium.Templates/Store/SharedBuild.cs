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
    private bool givenUp;

    /// <summary>Does the work; called once.</summary>
    internal async Task RunAsync(Func<Action<TemplateProgress>, CancellationToken, Task<TemplateRecord>> work)
    {
        try
        {
            completion.SetResult(await work(Report, cancel.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            completion.SetCanceled(CancellationToken.None);
        }
        catch (Exception e)
        {
            completion.SetException(e);
        }
    }

    /// <summary>Takes part; false when the build is being cancelled already, so that a new one must be begun.</summary>
    internal bool TryJoin(Action<TemplateProgress>? progress)
    {
        lock (gate)
        {
            if (givenUp)
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
                givenUp |= abandon;
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
