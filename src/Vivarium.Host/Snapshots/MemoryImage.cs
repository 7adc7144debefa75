namespace Vivarium.Host.Snapshots;

/// <summary>Saved processes and memory of a sandbox, in a volume of the pool beside the snapshots.</summary>
/// <param name="Key">Key of the volume.</param>
/// <param name="Engine">Engine that saved it.</param>
/// <param name="Version">Its version: another one does not read it.</param>
/// <param name="Bytes">Size, 0 until it is complete.</param>
/// <param name="UsedAt">
/// Of a sandbox paused to disk: processes may have been brought back from it on the sandbox's own volume, which was at this generation then (0: not known). It fits no volume that has
/// changed since.
/// </param>
public sealed record MemoryImage(string Key, string Engine, string Version, long Bytes = 0, long? UsedAt = null)
{
    /// <summary>Whether it belongs to a volume of this generation.</summary>
    public bool Fits(long generation) => UsedAt is null || (UsedAt != 0 && UsedAt == generation);
}
