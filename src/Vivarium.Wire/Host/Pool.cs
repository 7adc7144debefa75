namespace Vivarium.Wire.Host;

/// <summary>The pool volumes live in; answer to <c>pool.show</c> and <c>pool.grow</c>.</summary>
public sealed record PoolInfo
{
    /// <summary>Volume store: <c>btrfs, zfs, local-disk</c>.</summary>
    public required string Store { get; init; }

    /// <summary>Directory of the volumes.</summary>
    public required string Path { get; init; }

    /// <summary><c>healthy, degraded, critical, unusable</c>.</summary>
    public required string State { get; init; }

    /// <summary>A sentence on the state.</summary>
    public required string Message { get; init; }

    /// <summary>Size in bytes.</summary>
    public required long TotalBytes { get; init; }

    /// <summary>In use, bytes.</summary>
    public required long UsedBytes { get; init; }

    /// <summary>What can still be written, bytes: also bounded by the disk under a pool file.</summary>
    public required long FreeBytes { get; init; }

    /// <summary>From this part in use on the pool is degraded.</summary>
    public double WarnFraction { get; init; }

    /// <summary>From this part on new sandboxes and snapshots are refused.</summary>
    public double CriticalFraction { get; init; }

    /// <summary>Volumes of sandboxes.</summary>
    public int Sandboxes { get; init; }

    /// <summary>Volumes of templates.</summary>
    public int Templates { get; init; }

    /// <summary>Volumes of snapshots.</summary>
    public int Snapshots { get; init; }

    /// <summary>Whether it can snapshot.</summary>
    public bool CanSnapshot { get; init; }

    /// <summary>Whether it can limit a sandbox's disk.</summary>
    public bool CanLimit { get; init; }
}

/// <summary>Parameters of <c>pool.grow</c>.</summary>
public sealed record PoolGrowParams
{
    /// <summary>New size in bytes; a pool is never made smaller.</summary>
    public required long TotalBytes { get; init; }
}

/// <summary>Answer to <c>pool.check</c>.</summary>
public sealed record PoolCheckReply
{
    /// <summary>Bytes read.</summary>
    public required long Bytes { get; init; }

    /// <summary>Places that do not agree with their checksum or cannot be read.</summary>
    public required long Errors { get; init; }

    /// <summary>Of those repaired from a second copy.</summary>
    public required long Corrected { get; init; }

    /// <summary>Of those lost.</summary>
    public required long Uncorrectable { get; init; }
}
