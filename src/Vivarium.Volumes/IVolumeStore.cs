namespace Vivarium.Volumes;

/// <summary>
/// Where sandboxes keep their writable state. Paths: <c>&lt;pool&gt;/{templates,sandboxes,snapshots}/&lt;key&gt;</c>; keys match <c>[a-z0-9-]{1,80}</c>.
/// Every operation is atomic: after a crash a volume is whole or absent (half-made ones carry a <c>.partial</c>, half-removed ones a
/// <c>.deleting</c> suffix and are removed by <see cref="ReclaimAsync"/>). Deleting always works, also on a full pool.
/// </summary>
/// <remarks>
/// Errors are <see cref="Wire.Errors.VivariumException"/>: bad key → invalid_argument; source missing → not_found; target there → already_exists; no
/// room → resource_exhausted with reason <c>pool_full</c>; read-only after an error → unavailable with reason <c>pool_read_only</c>.
/// Disposing lets go of the store and leaves the pool as it is: sandboxes live on.
/// </remarks>
public interface IVolumeStore : IAsyncDisposable
{
    /// <summary><c>btrfs</c>, <c>zfs</c> or <c>local-disk</c>.</summary>
    string Name { get; }

    /// <summary>What it can do.</summary>
    VolumeStoreCapabilities Capabilities { get; }

    /// <summary>Called when a removal in the background failed: what it left carries its suffix, and <see cref="ReclaimAsync"/> removes it.</summary>
    Action<Exception>? LeftBehind { get; set; }

    /// <summary>Directory of a volume, whether it exists or not.</summary>
    string PathOf(VolumeKind kind, string key);

    /// <summary>Whether the volume exists whole.</summary>
    bool Exists(VolumeKind kind, string key);

    /// <summary>Keys of all whole volumes of a kind.</summary>
    IReadOnlyList<string> List(VolumeKind kind);

    /// <summary>A new empty, writable volume that stays <c>.partial</c> until <see cref="CommitAsync"/>; returns the directory to fill.</summary>
    Task<string> CreateAsync(VolumeKind kind, string key, CancellationToken cancellationToken);

    /// <summary>Makes a filled partial volume whole and durable under <paramref name="finalKey"/>, read-only for templates and snapshots.</summary>
    Task CommitAsync(VolumeKind kind, string key, string finalKey, CancellationToken cancellationToken);

    /// <summary>Removes a partial volume that will not be committed; no error when it is not there.</summary>
    Task AbandonAsync(VolumeKind kind, string key, CancellationToken cancellationToken);

    /// <summary>A writable copy (for sandboxes) or read-only copy (for snapshots) of a volume.</summary>
    Task CloneAsync(VolumeKind sourceKind, string sourceKey, VolumeKind targetKind, string targetKey, CancellationToken cancellationToken);

    /// <summary>Removes a volume; no error when it is not there. Returns when it is out of sight; its space comes back in the background.</summary>
    Task DeleteAsync(VolumeKind kind, string key, CancellationToken cancellationToken);

    /// <summary>
    /// Makes a sandbox's volume a fresh writable copy of a snapshot, limited to <paramref name="quota"/> bytes, in one step that is durable when this returns: a crash leaves
    /// the old content or the new one. Nothing may use the volume. Works on a pool that is critical: it may be the way to get room. <c>snapshots_not_available</c> where
    /// <see cref="VolumeStoreCapabilities.Snapshots"/> is false.
    /// </summary>
    Task RollBackAsync(string snapshotKey, string sandboxKey, long? quota, CancellationToken cancellationToken);

    /// <summary>
    /// A number that grows when the volume's content changes and is the same for as long as it does not; 0 where the store cannot tell. For a snapshot or a fresh copy: the
    /// number at which it was made, against which later ones are compared.
    /// </summary>
    /// <param name="kind">Kind of volume.</param>
    /// <param name="key">Its key.</param>
    /// <param name="flush">Write out first what programs have written: without it, the latest changes may not have been counted.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    Task<long> GenerationAsync(VolumeKind kind, string key, bool flush, CancellationToken cancellationToken);

    /// <summary>
    /// What differs between two volumes of common descent that nothing writes to (templates and snapshots), from what the store itself knows of changes. Tells every difference
    /// once, in no particular order, on a thread of the store. <c>snapshots_not_available</c> where <see cref="VolumeStoreCapabilities.Snapshots"/> is false.
    /// </summary>
    /// <param name="from">The earlier point.</param>
    /// <param name="to">The later point.</param>
    /// <param name="since">Generation of the newest point both come from; 0 when not known (then everything is compared).</param>
    /// <param name="found">Told each difference.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Bytes of data that <paramref name="to"/> holds and the common point does not; null when not counted.</returns>
    Task<long?> CompareAsync(VolumeRef from, VolumeRef to, long since, Action<VolumeChange> found, CancellationToken cancellationToken);

    /// <summary>Usage of a volume.</summary>
    Task<VolumeUsage> UsageAsync(VolumeKind kind, string key, CancellationToken cancellationToken);

    /// <summary>Limits a volume (null: no limit); <c>unimplemented</c> where <see cref="VolumeStoreCapabilities.Quota"/> is false.</summary>
    Task SetQuotaAsync(VolumeKind kind, string key, long? bytes, CancellationToken cancellationToken);

    /// <summary>Bytes counted against a volume's limit, quickly; null where none are counted.</summary>
    Task<long?> CountedAsync(VolumeKind kind, string key, CancellationToken cancellationToken);

    /// <summary>Reads everything and compares it with its checksums; <c>unimplemented</c>, reason <c>check_not_available</c>, where nothing is checksummed.</summary>
    Task<PoolCheck> CheckAsync(CancellationToken cancellationToken);

    /// <summary>Space of the pool.</summary>
    Task<PoolSpace> SpaceAsync(CancellationToken cancellationToken);

    /// <summary>State of the pool; never throws for a sick pool.</summary>
    Task<PoolHealth> HealthAsync(CancellationToken cancellationToken);

    /// <summary>Removes what crashes left half-made; returns what was removed. Work going on in this process is left alone.</summary>
    Task<IReadOnlyList<string>> ReclaimAsync(CancellationToken cancellationToken);

    /// <summary>Grows a pool in a file, online; other pools have the size of their disk and answer <c>unimplemented</c>.</summary>
    Task GrowAsync(long totalBytes, CancellationToken cancellationToken);

    /// <summary>Unmounts a pool in a file and lets its loop device go; does nothing for other pools. failed_precondition while a sandbox uses it.</summary>
    Task UnmountAsync(CancellationToken cancellationToken);
}
