namespace Vivarium.Volumes;

/// <summary>What a volume store can do; a call for something it cannot is refused with a precise error, never emulated silently.</summary>
/// <param name="Snapshots">Point-in-time copies that share data.</param>
/// <param name="Quota">A limit per volume.</param>
/// <param name="UniqueBytes">Knows how many bytes belong to one volume alone.</param>
public sealed record VolumeStoreCapabilities(bool Snapshots, bool Quota, bool UniqueBytes);

/// <summary>Space of the pool, bytes.</summary>
public sealed record PoolSpace(long TotalBytes, long UsedBytes, long FreeBytes)
{
    /// <summary>0 to 1.</summary>
    public double UsedFraction => TotalBytes == 0 ? 0 : (double)UsedBytes / TotalBytes;
}

/// <summary>Usage of one volume, bytes; <see cref="UniqueBytes"/> is absent where the store cannot tell.</summary>
public sealed record VolumeUsage(long ReferencedBytes, long? UniqueBytes);

/// <summary>
/// Where sandboxes keep their writable state. Paths: <c>&lt;pool&gt;/{templates,sandboxes,snapshots}/&lt;key&gt;</c>; keys match <c>[a-z0-9-]{1,80}</c>.
/// Every operation is atomic: after a crash a volume is whole or absent (half-made ones carry a <c>.partial</c> suffix and are
/// removed by <see cref="ReclaimAsync"/>). Deleting always works, also on a full pool.
/// </summary>
public interface IVolumeStore : IAsyncDisposable
{
    /// <summary><c>btrfs</c>, <c>zfs</c> or <c>local-disk</c>.</summary>
    string Name { get; }

    /// <summary>What it can do.</summary>
    VolumeStoreCapabilities Capabilities { get; }

    /// <summary>Directory of a volume, whether it exists or not.</summary>
    string PathOf(VolumeKind kind, string key);

    /// <summary>Whether the volume exists whole.</summary>
    bool Exists(VolumeKind kind, string key);

    /// <summary>Keys of all whole volumes of a kind.</summary>
    IReadOnlyList<string> List(VolumeKind kind);

    /// <summary>A new empty, writable volume that stays <c>.partial</c> until <see cref="CommitAsync"/>; returns the directory to fill.</summary>
    Task<string> CreateAsync(VolumeKind kind, string key, CancellationToken cancellationToken);

    /// <summary>Makes a filled partial volume whole under its key (or under <paramref name="finalKey"/>), read-only for templates and snapshots.</summary>
    Task CommitAsync(VolumeKind kind, string key, string finalKey, CancellationToken cancellationToken);

    /// <summary>A writable copy (for sandboxes) or read-only copy (for snapshots) of a volume.</summary>
    Task CloneAsync(VolumeKind sourceKind, string sourceKey, VolumeKind targetKind, string targetKey, CancellationToken cancellationToken);

    /// <summary>Removes a volume; no error when it is not there.</summary>
    Task DeleteAsync(VolumeKind kind, string key, CancellationToken cancellationToken);

    /// <summary>Usage of a volume.</summary>
    Task<VolumeUsage> UsageAsync(VolumeKind kind, string key, CancellationToken cancellationToken);

    /// <summary>Limits a volume; <c>unimplemented</c> where <see cref="VolumeStoreCapabilities.Quota"/> is false.</summary>
    Task SetQuotaAsync(VolumeKind kind, string key, long? bytes, CancellationToken cancellationToken);

    /// <summary>Space of the pool.</summary>
    Task<PoolSpace> SpaceAsync(CancellationToken cancellationToken);

    /// <summary>Removes what crashes left half-made; returns what was removed.</summary>
    Task<IReadOnlyList<string>> ReclaimAsync(CancellationToken cancellationToken);
}

/// <summary>Kinds of volumes, one folder each in the pool.</summary>
public enum VolumeKind
{
    /// <summary>Read-only root file systems.</summary>
    Template,

    /// <summary>Writable state of sandboxes.</summary>
    Sandbox,

    /// <summary>Read-only points of sandboxes.</summary>
    Snapshot,
}
