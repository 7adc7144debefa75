using System.Collections.Concurrent;
using Vivarium.Linux;
using Vivarium.Linux.Trees;
using Vivarium.Wire.Errors;

namespace Vivarium.Volumes.LocalDisk;

/// <summary>
/// Volumes are plain directories. A clone copies the tree, sharing data (reflink) where the file system can; there are no snapshots and no quota.
/// </summary>
internal sealed class LocalDiskVolumeStore : IVolumeStore
{
    private const int CopyParallelism = 4;
    private const int Threads = 4;
    private const long MaximumEntries = 20_000_000;
    private const UnixFileMode RootMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly PoolLayout layout;
    private readonly BlockingThreads threads = new("volumes", Threads);
    private readonly ActivePaths active = new();
    private readonly ConcurrentDictionary<Task, bool> removals = new();
    private readonly CancellationTokenSource disposing = new();

    internal LocalDiskVolumeStore(PoolLayout layout) => this.layout = layout;

    public string Name => "local-disk";

    public VolumeStoreCapabilities Capabilities { get; } = new(Snapshots: false, Quota: false, UniqueBytes: false);

    public Action<Exception>? LeftBehind { get; set; }

    public string PathOf(VolumeKind kind, string key) => layout.PathOf(kind, key);

    public bool Exists(VolumeKind kind, string key) => layout.Exists(kind, key);

    public IReadOnlyList<string> List(VolumeKind kind) => layout.List(kind);

    public async Task<string> CreateAsync(VolumeKind kind, string key, CancellationToken cancellationToken)
    {
        RefuseSnapshots(kind);
        var operation = $"making the {StoreErrors.Word(kind)} volume '{key}'";
        var path = layout.PartialOf(kind, key);
        RefuseWhenCritical(operation);
        await threads.RunAsync(() => Try(operation, () => MakePartial(path)), cancellationToken).ConfigureAwait(false);
        return path;
    }

    public Task CommitAsync(VolumeKind kind, string key, string finalKey, CancellationToken cancellationToken)
    {
        string from = layout.PartialOf(kind, key), to = layout.PathOf(kind, finalKey);
        return threads.RunAsync(
            () => Try($"finishing the {StoreErrors.Word(kind)} volume '{finalKey}'", () =>
            {
                FileSystemSync.Of(from);
                Rename(from, to);
                active.Leave(from);
            }),
            cancellationToken);
    }

    public Task AbandonAsync(VolumeKind kind, string key, CancellationToken cancellationToken)
    {
        var path = layout.PartialOf(kind, key);
        return threads.RunAsync(
            () => Try($"removing the unfinished {StoreErrors.Word(kind)} volume '{key}'", () =>
            {
                TreeRemoval.Remove(path, disposing.Token);
                active.Leave(path);
            }),
            cancellationToken);
    }

    public async Task CloneAsync(VolumeKind sourceKind, string sourceKey, VolumeKind targetKind, string targetKey, CancellationToken cancellationToken)
    {
        if (sourceKind != VolumeKind.Template || targetKind != VolumeKind.Sandbox)
        {
            throw StoreErrors.SnapshotsNotAvailable();
        }

        string source = layout.PathOf(sourceKind, sourceKey), target = layout.PathOf(targetKind, targetKey), partial = layout.PartialOf(targetKind, targetKey);
        var operation = $"copying the template volume '{sourceKey}'";
        RefuseWhenCritical(operation);
        if (!Directory.Exists(source))
        {
            throw StoreErrors.NotFound(sourceKind, sourceKey);
        }

        if (Directory.Exists(target))
        {
            throw StoreErrors.Map(new LinuxException("copy", target, Errno.EEXIST), operation);
        }

        Try(operation, () => MakePartial(partial));
        try
        {
            await TreeCopy.RunAsync(source, partial, CopyParallelism, cancellationToken).ConfigureAwait(false);
            Try(operation, () => Rename(partial, target));
        }
        catch (Exception e)
        {
            RemoveInBackground(partial);
            if (e is LinuxException error)
            {
                throw StoreErrors.Map(error, operation);
            }

            throw;
        }
        finally
        {
            active.Leave(partial);
        }
    }

    public Task DeleteAsync(VolumeKind kind, string key, CancellationToken cancellationToken)
    {
        var path = layout.PathOf(kind, key);
        var doomed = layout.DeletingOf(kind, $"{key}-{Guid.NewGuid():N}"[..Math.Min(80, key.Length + 33)]);
        return threads.RunAsync(
            () => Try($"removing the {StoreErrors.Word(kind)} volume '{key}'", () =>
            {
                if (Directory.Exists(path))
                {
                    Rename(path, doomed);
                    RemoveInBackground(doomed);
                }
            }),
            cancellationToken);
    }

    public Task RollBackAsync(string snapshotKey, string sandboxKey, long? quota, CancellationToken cancellationToken) =>
        Task.FromException(StoreErrors.SnapshotsNotAvailable());

    public Task<long> GenerationAsync(VolumeKind kind, string key, bool flush, CancellationToken cancellationToken)
    {
        var path = layout.PathOf(kind, key);
        return threads.RunAsync(
            () =>
            {
                if (!Directory.Exists(path))
                {
                    throw StoreErrors.NotFound(kind, key);
                }

                if (flush)
                {
                    Try("writing out the volume", () => FileSystemSync.Of(path));
                }

                return 0L;
            },
            cancellationToken);
    }

    public Task<long?> CompareAsync(VolumeRef from, VolumeRef to, long since, Action<VolumeChange> found, CancellationToken cancellationToken) =>
        Task.FromException<long?>(StoreErrors.SnapshotsNotAvailable());

    public Task<VolumeUsage> UsageAsync(VolumeKind kind, string key, CancellationToken cancellationToken)
    {
        var path = layout.PathOf(kind, key);
        return threads.RunAsync(
            () =>
            {
                if (!Directory.Exists(path))
                {
                    throw StoreErrors.NotFound(kind, key);
                }

                var usage = default(TreeUsage);
                Try($"measuring the {StoreErrors.Word(kind)} volume '{key}'", () => usage = TreeUsage.Of(path, MaximumEntries, cancellationToken));
                return new VolumeUsage(usage.AllocatedBytes, null, usage.Complete);
            },
            cancellationToken);
    }

    public Task SetQuotaAsync(VolumeKind kind, string key, long? bytes, CancellationToken cancellationToken) =>
        throw new VivariumException(
            ErrorCode.Unimplemented, "a disk limit cannot be honoured: the local-disk store has no quota", "use a btrfs pool ([pool] store), or leave the limit out", "quota_not_available");

    public Task<long?> CountedAsync(VolumeKind kind, string key, CancellationToken cancellationToken) => Task.FromResult<long?>(null);

    public Task<PoolCheck> CheckAsync(CancellationToken cancellationToken) => throw new VivariumException(
        ErrorCode.Unimplemented, "checking the pool: the local-disk store keeps no checksums", "use a btrfs pool, or check the machine's own file system", "check_not_available");

    public Task<PoolSpace> SpaceAsync(CancellationToken cancellationToken) => Task.FromResult(Space());

    public Task<PoolHealth> HealthAsync(CancellationToken cancellationToken)
    {
        try
        {
            return Task.FromResult(PoolHealth.Of(Space()));
        }
        catch (IOException e)
        {
            return Task.FromResult(new PoolHealth(PoolState.Unusable, 1, $"the pool does not answer: {e.Message}"));
        }
    }

    public Task<IReadOnlyList<string>> ReclaimAsync(CancellationToken cancellationToken) => threads.RunAsync<IReadOnlyList<string>>(
        () =>
        {
            var removed = new List<string>();
            foreach (var path in layout.Leftovers().Where(path => !active.Contains(path)))
            {
                Try($"removing the leftover '{path}'", () => TreeRemoval.Remove(path, cancellationToken));
                removed.Add(path);
            }

            return removed;
        },
        cancellationToken);

    public Task GrowAsync(long totalBytes, CancellationToken cancellationToken) =>
        throw new VivariumException(ErrorCode.Unimplemented, "the pool cannot be grown: it is a directory on the machine's disk", "enlarge that disk");

    public Task UnmountAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await disposing.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(removals.Keys).ConfigureAwait(false);
        threads.Dispose();
    }

    private void MakePartial(string path)
    {
        active.Enter(path);
        if (Directory.Exists(path))
        {
            throw new LinuxException("make directory", path, Errno.EEXIST);
        }

        Directory.CreateDirectory(path);
        File.SetUnixFileMode(path, RootMode);
    }

    private static void Rename(string from, string to)
    {
        if (Directory.Exists(to))
        {
            throw new LinuxException("rename", to, Errno.EEXIST);
        }

        Directory.Move(from, to);
    }

    private void RemoveInBackground(string path)
    {
        active.Enter(path);
        Track(threads.RunAsync(
            () =>
            {
                Exception? failure = null;
                try
                {
                    TreeRemoval.Remove(path, disposing.Token);
                }
                catch (Exception e) when (e is IOException or OperationCanceledException)
                {
                    // Its suffix says what it is; ReclaimAsync goes on with it.
                    failure = e;
                }
                finally
                {
                    active.Leave(path);
                }

                if (failure is IOException)
                {
                    LeftBehind?.Invoke(failure);
                }
            },
            CancellationToken.None /* housekeeping of the store, not of the caller */));
    }

    private void Track(Task task)
    {
        removals.TryAdd(task, true);
        task.ContinueWith(done => removals.TryRemove(done, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private PoolSpace Space()
    {
        var drive = new DriveInfo(layout.Root);
        return new PoolSpace(drive.TotalSize - drive.TotalFreeSpace + drive.AvailableFreeSpace, drive.TotalSize - drive.TotalFreeSpace, drive.AvailableFreeSpace);
    }

    private void RefuseWhenCritical(string operation)
    {
        if (PoolHealth.Of(Space()).State == PoolState.Critical)
        {
            throw StoreErrors.PoolFull(operation);
        }
    }

    private static void RefuseSnapshots(VolumeKind kind)
    {
        if (kind == VolumeKind.Snapshot)
        {
            throw StoreErrors.SnapshotsNotAvailable();
        }
    }

    private static void Try(string operation, Action action)
    {
        try
        {
            action();
        }
        catch (LinuxException e)
        {
            throw StoreErrors.Map(e, operation);
        }
        catch (IOException e) when (e.HResult is Errno.ENOSPC or Errno.EDQUOT)
        {
            throw StoreErrors.PoolFull(operation, e);
        }
    }
}
