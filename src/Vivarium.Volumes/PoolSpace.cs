namespace Vivarium.Volumes;

/// <summary>Space of the pool, bytes. What can really be written counts: a pool in a sparse file has no more free than the disk under it.</summary>
/// <param name="TotalBytes">Used and free together.</param>
/// <param name="UsedBytes">Taken.</param>
/// <param name="FreeBytes">Can still be written.</param>
public sealed record PoolSpace(long TotalBytes, long UsedBytes, long FreeBytes)
{
    /// <summary>0 to 1.</summary>
    public double UsedFraction => TotalBytes == 0 ? 0 : (double)UsedBytes / TotalBytes;
}
