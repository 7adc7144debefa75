namespace Vivarium.Volumes.Btrfs;

/// <summary>What lies under a btrfs pool: the machine's own file system, or a file on a loop device.</summary>
internal interface IPoolBacking
{
    /// <summary>Bytes that can still be written to what is underneath, beyond what the pool has taken of it already; null when the pool's own books are all.</summary>
    /// <param name="poolUsedBytes">What the pool holds by its own books.</param>
    long? RoomBeneath(long poolUsedBytes);

    /// <summary>Makes the pool larger, online.</summary>
    void Grow(long totalBytes);

    /// <summary>Unmounts.</summary>
    void Unmount();
}
