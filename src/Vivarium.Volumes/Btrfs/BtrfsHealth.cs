using Vivarium.Linux.Btrfs;
using Vivarium.Linux.Mounts;

namespace Vivarium.Volumes.Btrfs;

/// <summary>Reads a btrfs pool's books.</summary>
internal static class BtrfsHealth
{
    /// <summary>A chunk of metadata on a file system of some size; with less than that unallocated, metadata can run out while data has room.</summary>
    private const long MetadataChunk = 256L * 1024 * 1024;

    /// <summary>What can still be written, by the books of the file system.</summary>
    internal static PoolSpace Count(BtrfsSpace space)
    {
        var inChunks = Math.Max(0, space.DataTotal - space.DataUsed - (space.Mixed ? space.GlobalReserve : 0));
        var free = inChunks + space.UnallocatedBytes;
        if (!space.Mixed && space.UnallocatedBytes < MetadataChunk)
        {
            // Every file needs metadata too: no more data fits than metadata has room for (some 1:16 with small files).
            var metadataFree = Math.Max(0, space.MetadataTotal - space.MetadataUsed - space.GlobalReserve) + (space.UnallocatedBytes / space.MetadataCopies);
            free = Math.Min(free, metadataFree * 16);
        }

        var used = space.DataUsed + ((space.Mixed ? 0 : space.MetadataUsed) * space.MetadataCopies);
        return new PoolSpace(used + free, used, free);
    }

    /// <summary>State of a mounted pool.</summary>
    internal static PoolHealth Judge(string root, PoolSpace space)
    {
        if (MountTable.Find(root) is { } mount && PoolMount.IsReadOnly(mount))
        {
            return new PoolHealth(PoolState.Unusable, space.UsedFraction, "the pool is read-only after an error of the file system; see 'dmesg'");
        }

        var health = PoolHealth.Of(space);
        var errors = BtrfsFileSystem.DeviceErrors(root);
        return errors == 0 || health.State != PoolState.Healthy
            ? health
            : health with { State = PoolState.Degraded, Message = $"the device under the pool has shown {errors} errors ('btrfs device stats'); {health.Message}" };
    }
}
