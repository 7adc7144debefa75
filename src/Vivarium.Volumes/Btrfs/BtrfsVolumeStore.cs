using Vivarium.Linux;
using Vivarium.Linux.Btrfs;
using Vivarium.Wire.Errors;

namespace Vivarium.Volumes.Btrfs;

/// <summary>
/// Volumes are subvolumes: a clone is a snapshot (one system call, atomic and durable), a removal one unlink. Nothing here runs a program.
/// </summary>
internal sealed partial class BtrfsVolumeStore : IVolumeStore
{
    /// <summary>Snapshots made at once share one transaction commit, so several threads are faster than one.</summary>
    private const int QuickThreads = 8;
    private const int SlowThreads = 2;
    private const long MaximumMeasuredItems = 20_000_000;

    private readonly PoolLayout layout;
    private readonly IPoolBacking backing;
    private readonly BlockingThreads quick = new("volumes", QuickThreads);
    private readonly BlockingThreads slow = new("volumes-slow", SlowThreads);

    /// <summary>A check of a large pool takes minutes and must hold up nothing else.</summary>
    private readonly BlockingThreads checks = new("volumes-check", 1);
    private readonly ActivePaths active = new();
    private readonly SpaceRecovery recovery;

    internal BtrfsVolumeStore(PoolLayout layout, IPoolBacking backing)
    {
        this.layout = layout;
        this.backing = backing;
        recovery = new SpaceRecovery(layout.Root, slow, backing.Secure);
    }

    public string Name => "btrfs";

    public VolumeStoreCapabilities Capabilities { get; } = new(Snapshots: true, Quota: true, UniqueBytes: true);

    public Action<Exception>? LeftBehind { get => recovery.LeftBehind; set => recovery.LeftBehind = value; }

    public string PathOf(VolumeKind kind, string key) => layout.PathOf(kind, key);

    public bool Exists(VolumeKind kind, string key) => layout.Exists(kind, key);

    public IReadOnlyList<string> List(VolumeKind kind) => layout.List(kind);

    public Task<string> CreateAsync(VolumeKind kind, string key, CancellationToken cancellationToken)
    {
        var path = layout.PartialOf(kind, key);
        var operation = $"making the {StoreErrors.Word(kind)} volume '{key}'";
        return quick.RunAsync(
            () =>
            {
                RefuseWhenCritical(operation);
                active.Enter(path);
                try
                {
                    Try(operation, () => MakingRoom(() => Subvolume.Create(path)));
                }
                catch
                {
                    active.Leave(path);
                    throw;
                }

                return path;
            },
            cancellationToken);
    }

    public Task CommitAsync(VolumeKind kind, string key, string finalKey, CancellationToken cancellationToken)
    {
        var from = layout.PartialOf(kind, key);
        var to = layout.PathOf(kind, finalKey);
        var operation = $"finishing the {StoreErrors.Word(kind)} volume '{finalKey}'";
        return slow.RunAsync(
            () => Try(operation, () =>
            {
                if (Directory.Exists(to))
                {
                    throw new VivariumException(ErrorCode.AlreadyExists, $"{operation}: it exists already");
                }

                // Data first: a name that survives a power cut must not stand for empty files.
                BtrfsFileSystem.Sync(layout.Root);
                if (kind != VolumeKind.Sandbox)
                {
                    Subvolume.SetReadOnly(from, true);
                }

                Directory.Move(from, to);
                BtrfsFileSystem.Sync(layout.Root);
                active.Leave(from);
            }),
            cancellationToken);
    }

    public Task AbandonAsync(VolumeKind kind, string key, CancellationToken cancellationToken)
    {
        var path = layout.PartialOf(kind, key);
        return slow.RunAsync(
            () =>
            {
                Try($"removing the unfinished {StoreErrors.Word(kind)} volume '{key}'", () => Subvolume.Delete(path));
                active.Leave(path);
                recovery.Removed();
            },
            cancellationToken);
    }

    public Task CloneAsync(VolumeKind sourceKind, string sourceKey, VolumeKind targetKind, string targetKey, CancellationToken cancellationToken)
    {
        string source = layout.PathOf(sourceKind, sourceKey), target = layout.PathOf(targetKind, targetKey);
        var operation = $"copying the {StoreErrors.Word(sourceKind)} volume '{sourceKey}'";
        return quick.RunAsync(
            () =>
            {
                RefuseWhenCritical(operation);
                if (!Directory.Exists(source))
                {
                    throw StoreErrors.NotFound(sourceKind, sourceKey);
                }

                Try(operation, () =>
                {
                    if (Directory.Exists(target))
                    {
                        // The ioctl would put the snapshot inside an existing directory of that name on some kernels; say no ourselves.
                        throw new LinuxException("snapshot", target, Errno.EEXIST);
                    }

                    MakingRoom(() => Subvolume.Snapshot(source, target, readOnly: targetKind != VolumeKind.Sandbox));
                });
            },
            cancellationToken);
    }

    public Task DeleteAsync(VolumeKind kind, string key, CancellationToken cancellationToken)
    {
        var path = layout.PathOf(kind, key);
        var operation = $"removing the {StoreErrors.Word(kind)} volume '{key}'";
        return quick.RunAsync(
            () =>
            {
                var removal = SubvolumeRemoval.Missing;
                Try(operation, () => removal = Subvolume.TryDelete(path));
                if (removal == SubvolumeRemoval.HoldsOthers)
                {
                    // The tenant made subvolumes of its own. Out of sight in one step; the pieces go one by one, and after a crash ReclaimAsync goes on.
                    var doomed = layout.DeletingOf(kind, key);
                    Try(operation, () => Directory.Move(path, doomed));
                    _ = recovery.RemoveLaterAsync(doomed);
                }

                recovery.Removed();
            },
            cancellationToken);
    }

    public Task<VolumeUsage> UsageAsync(VolumeKind kind, string key, CancellationToken cancellationToken)
    {
        var path = layout.PathOf(kind, key);
        return slow.RunAsync(
            () =>
            {
                if (!Directory.Exists(path))
                {
                    throw StoreErrors.NotFound(kind, key);
                }

                var bytes = default(SubvolumeTree.DataBytes);
                Try($"measuring the {StoreErrors.Word(kind)} volume '{key}'", () => bytes = SubvolumeTree.Measure(path, MaximumMeasuredItems, cancellationToken));
                return new VolumeUsage(bytes.Referenced, bytes.Written, bytes.Complete);
            },
            cancellationToken);
    }

    public Task SetQuotaAsync(VolumeKind kind, string key, long? bytes, CancellationToken cancellationToken)
    {
        var path = layout.PathOf(kind, key);
        return slow.RunAsync(
            () =>
            {
                if (!Directory.Exists(path))
                {
                    throw StoreErrors.NotFound(kind, key);
                }

                Try($"limiting the {StoreErrors.Word(kind)} volume '{key}'", () =>
                {
                    if (bytes is not null)
                    {
                        BtrfsQuota.EnsureEnabled(layout.Root);
                    }

                    BtrfsQuota.Limit(path, bytes);
                });
            },
            cancellationToken);
    }

    public Task<long?> CountedAsync(VolumeKind kind, string key, CancellationToken cancellationToken)
    {
        var path = layout.PathOf(kind, key);
        return quick.RunAsync(
            () =>
            {
                long? used = null;
                Try($"reading the quota of the {StoreErrors.Word(kind)} volume '{key}'", () => used = Directory.Exists(path) ? BtrfsQuota.Used(path) : null);
                return used;
            },
            cancellationToken);
    }

    public Task<PoolCheck> CheckAsync(CancellationToken cancellationToken) => checks.RunAsync(
        () =>
        {
            var found = new BtrfsScrub(0, 0, 0, 0);
            Try("checking the pool", () => found = BtrfsFileSystem.Scrub(layout.Root));
            return new PoolCheck(found.Bytes, found.Errors, found.Corrected, found.Uncorrectable);
        },
        cancellationToken);

    public Task<PoolSpace> SpaceAsync(CancellationToken cancellationToken) => quick.RunAsync(
        () =>
        {
            var space = new PoolSpace(0, 0, 0);
            Try("reading the space of the pool", () => space = Space());
            return space;
        },
        cancellationToken);

    public Task<PoolHealth> HealthAsync(CancellationToken cancellationToken) => quick.RunAsync(
        () =>
        {
            try
            {
                return BtrfsHealth.Judge(layout.Root, Space());
            }
            catch (LinuxException e)
            {
                return new PoolHealth(PoolState.Unusable, 1, $"the pool does not answer: {e.Message}");
            }
        },
        cancellationToken);

    public Task<IReadOnlyList<string>> ReclaimAsync(CancellationToken cancellationToken) => slow.RunAsync<IReadOnlyList<string>>(
        () =>
        {
            var removed = new List<string>();
            foreach (var path in layout.Leftovers().Where(path => !active.Contains(path)))
            {
                cancellationToken.ThrowIfCancellationRequested();
                Try($"removing the leftover '{path}'", () => Subvolume.Delete(path));
                removed.Add(path);
            }

            recovery.Removed();
            return removed;
        },
        cancellationToken);

    public Task GrowAsync(long totalBytes, CancellationToken cancellationToken) =>
        slow.RunAsync(() => Try("growing the pool", () => backing.Grow(totalBytes)), cancellationToken);

    public async Task UnmountAsync(CancellationToken cancellationToken)
    {
        await recovery.IdleAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        await slow.RunAsync(() => Try("unmounting the pool", backing.Unmount), cancellationToken).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync()
    {
        quick.Dispose();
        slow.Dispose();
        checks.Dispose();
        return ValueTask.CompletedTask;
    }

    private PoolSpace Space()
    {
        var books = BtrfsFileSystem.Space(layout.Root);
        var space = BtrfsHealth.Count(books);
        return backing.RoomBeneath(books.DataUsed) is { } room && room < space.FreeBytes
            ? new PoolSpace(space.UsedBytes + room, space.UsedBytes, room)
            : space;
    }

    private void RefuseWhenCritical(string operation)
    {
        var space = new PoolSpace(0, 0, 0);
        Try(operation, () => space = Space());
        if (PoolHealth.Of(space).State == PoolState.Critical)
        {
            throw StoreErrors.PoolFull(operation);
        }
    }

    /// <summary>A removal just before may hold the room that is missing now: once it has been freed, the second try decides.</summary>
    private void MakingRoom(Action action)
    {
        try
        {
            action();
        }
        catch (LinuxException e) when (e.Errno == Errno.ENOSPC)
        {
            recovery.WaitForFreed();
            action();
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
        catch (IOException e)
        {
            throw new VivariumException(ErrorCode.Internal, $"{operation}: {e.Message}", inner: e);
        }
    }
}
