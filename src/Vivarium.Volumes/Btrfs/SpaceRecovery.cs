using System.Diagnostics;
using Vivarium.Linux;
using Vivarium.Linux.Btrfs;

namespace Vivarium.Volumes.Btrfs;

/// <summary>
/// Work after removals, and now and then what keeps the pool safe from a full disk underneath. The kernel frees removed subvolumes when its cleaner wakes, with the next commit; where space is short that is asked for at once.
/// </summary>
internal sealed class SpaceRecovery(string root, BlockingThreads threads, Action secure)
{
    private const double HurryFraction = 0.7;
    private static readonly TimeSpan FreeDeadline = TimeSpan.FromSeconds(20);
    private static readonly ManualResetEventSlim Never = new();
    private static readonly TimeSpan SecureEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FreePoll = TimeSpan.FromMilliseconds(50);

    private readonly Lock gate = new();
    private readonly HashSet<Task> running = [];
    private bool syncing;
    private bool again;
    private long securedAt = Stopwatch.GetTimestamp();

    /// <summary>As <see cref="IVolumeStore.LeftBehind"/>.</summary>
    internal Action<Exception>? LeftBehind { get; set; }

    /// <summary>Says that something was removed; returns at once.</summary>
    internal void Removed()
    {
        lock (gate)
        {
            again = true;
            if (syncing)
            {
                return;
            }

            syncing = true;
        }

        Track(threads.RunAsync(SyncWhileNeeded, CancellationToken.None /* housekeeping of the store, not of the caller */));
    }

    /// <summary>Removes a volume that is out of sight already. What fails is left to the next reclaim.</summary>
    internal Task RemoveLaterAsync(string path) => Track(threads.RunAsync(
        () =>
        {
            try
            {
                Subvolume.Delete(path);
            }
            catch (LinuxException e)
            {
                // Still marked for deletion by its suffix: ReclaimAsync tries again and reports.
                LeftBehind?.Invoke(e);
            }
        },
        CancellationToken.None /* as above */));

    /// <summary>Completes when no work is left.</summary>
    internal async Task IdleAsync()
    {
        while (true)
        {
            Task[] tasks;
            lock (gate)
            {
                tasks = [.. running];
            }

            if (tasks.Length == 0)
            {
                return;
            }

            await Task.WhenAll(tasks).ConfigureAwait(false);
        }
    }

    private Task Track(Task task)
    {
        lock (gate)
        {
            running.Add(task);
        }

        return task.ContinueWith(
            done =>
            {
                lock (gate)
                {
                    running.Remove(done);
                }
            },
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }

    /// <summary>
    /// Blocks until removed volumes have given their space back, at most <see cref="FreeDeadline"/>. Each sync wakes the cleaner; what it frees can be
    /// used after the commit that follows.
    /// </summary>
    internal void WaitForFreed()
    {
        var start = Stopwatch.GetTimestamp();
        BtrfsFileSystem.Sync(root);
        while (SubvolumeTree.HasUnfreed(root) && Stopwatch.GetElapsedTime(start) < FreeDeadline)
        {
            Never.Wait(FreePoll);
            BtrfsFileSystem.Sync(root);
        }

        BtrfsFileSystem.Sync(root);
    }

    private void SyncWhileNeeded()
    {
        while (true)
        {
            lock (gate)
            {
                if (!again)
                {
                    syncing = false;
                    return;
                }

                again = false;
            }

            try
            {
                if (BtrfsHealth.Count(BtrfsFileSystem.Space(root)).UsedFraction >= HurryFraction)
                {
                    WaitForFreed();
                }
            }
            catch (LinuxException)
            {
                // A pool that cannot sync shows it in its health; the removal itself has succeeded.
            }

            if (Stopwatch.GetElapsedTime(securedAt) > SecureEvery)
            {
                securedAt = Stopwatch.GetTimestamp();
                secure();
            }
        }
    }
}
