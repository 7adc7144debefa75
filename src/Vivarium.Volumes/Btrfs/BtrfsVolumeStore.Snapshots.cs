using Vivarium.Linux.Btrfs;
using Vivarium.Linux.Files;
using Vivarium.Linux.Trees;

namespace Vivarium.Volumes.Btrfs;

/// <summary>What snapshots need beyond copies.</summary>
internal sealed partial class BtrfsVolumeStore
{
    private const int MaximumChangedInodes = 2_000_000;

    public Task RollBackAsync(string snapshotKey, string sandboxKey, long? quota, CancellationToken cancellationToken)
    {
        string source = layout.PathOf(VolumeKind.Snapshot, snapshotKey), target = layout.PathOf(VolumeKind.Sandbox, sandboxKey), fresh = layout.PartialOf(VolumeKind.Sandbox, sandboxKey);
        var operation = $"rolling the sandbox volume '{sandboxKey}' back to '{snapshotKey}'";
        return quick.RunAsync(
            () =>
            {
                Require(VolumeKind.Snapshot, snapshotKey);
                Require(VolumeKind.Sandbox, sandboxKey);
                active.Enter(fresh);
                try
                {
                    Try(operation, () =>
                    {
                        // What an earlier, interrupted try left.
                        Subvolume.Delete(fresh);
                        MakingRoom(() => Subvolume.Snapshot(source, fresh, readOnly: false));
                        if (quota is { } bytes)
                        {
                            BtrfsQuota.EnsureEnabled(layout.Root);
                            BtrfsQuota.Limit(fresh, bytes);
                        }

                        // One step: before it the old content has the name, after it the new one. The other is a leftover in both cases.
                        FileChanges.Exchange(fresh, target);
                        BtrfsFileSystem.Sync(layout.Root);
                    });
                    Try(operation, () => Subvolume.Delete(fresh));
                }
                finally
                {
                    active.Leave(fresh);
                }

                recovery.Removed();
            },
            cancellationToken);
    }

    public Task<long> GenerationAsync(VolumeKind kind, string key, bool flush, CancellationToken cancellationToken)
    {
        var path = layout.PathOf(kind, key);
        return quick.RunAsync(
            () =>
            {
                Require(kind, key);
                long generation = 0;
                Try($"looking at the {StoreErrors.Word(kind)} volume '{key}'", () =>
                {
                    if (flush)
                    {
                        FlushData(path);
                    }

                    // Taking a copy of a read-only volume touches its root too, so for those the time of their making counts.
                    var info = Subvolume.Info(path);
                    generation = (long)(info.ReadOnly && kind == VolumeKind.Snapshot ? info.CreationTransaction : info.Generation);
                });
                return generation;
            },
            cancellationToken);
    }

    public Task<long?> CompareAsync(VolumeRef from, VolumeRef to, long since, Action<VolumeChange> found, CancellationToken cancellationToken)
    {
        string fromPath = layout.PathOf(from.Kind, from.Key), toPath = layout.PathOf(to.Kind, to.Key);
        return slow.RunAsync(
            () =>
            {
                Require(from.Kind, from.Key);
                Require(to.Kind, to.Key);
                long? written = null;
                Try($"comparing '{from.Key}' with '{to.Key}'", () => written = SubvolumeDiff.Compare(
                    fromPath,
                    toPath,
                    (ulong)Math.Max(0, since),
                    MaximumChangedInodes,
                    difference => found(new VolumeChange((VolumeChangeKind)difference.Change, difference.Path, difference.Type, difference.SizeBefore, difference.SizeAfter)),
                    cancellationToken));
                return written;
            },
            cancellationToken);
    }

    /// <summary>syncfs(2): data first, then the transaction with the inodes it belongs to.</summary>
    private static void FlushData(string path) => FileSystemSync.Of(path);

    private void Require(VolumeKind kind, string key)
    {
        if (!layout.Exists(kind, key))
        {
            throw StoreErrors.NotFound(kind, key);
        }
    }
}
