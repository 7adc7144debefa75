namespace Vivarium.Volumes;

/// <summary>How an entry of a volume differs between two points.</summary>
public enum VolumeChangeKind
{
    /// <summary>Only at the later point.</summary>
    Added,

    /// <summary>At both, with another content, mode, owner, attribute, target or (but for directories) time of modification.</summary>
    Changed,

    /// <summary>Only at the earlier point.</summary>
    Removed,
}

/// <summary>One entry that differs.</summary>
/// <param name="Kind">How.</param>
/// <param name="Path">Path below the root of the volume, bytes, without a slash at its beginning.</param>
/// <param name="Mode">Type bits of <c>st_mode</c>, at the later point where it is there.</param>
/// <param name="SizeBefore">Bytes at the earlier point, 0 when not there.</param>
/// <param name="SizeAfter">Bytes at the later point, 0 when not there.</param>
public readonly record struct VolumeChange(VolumeChangeKind Kind, byte[] Path, uint Mode, long SizeBefore, long SizeAfter);

/// <summary>A volume by kind and key.</summary>
public readonly record struct VolumeRef(VolumeKind Kind, string Key);
