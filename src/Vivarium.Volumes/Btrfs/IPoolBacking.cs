namespace Vivarium.Volumes.Btrfs;

/// <summary>What lies under a btrfs pool: the machine's own file system, or a file on a loop device.</summary>
internal interface IPoolBacking
{
    /// <summary>Bytes that can still be written to what is underneath, beyond what the pool has taken of it already; null when the pool's own books are all.</summary>
    /// <param name="dataBytes">What the pool's data takes by its own books; metadata has blocks of its own, see <see cref="Secure"/>.</param>
    long? RoomBeneath(long dataBytes);

    /// <summary>Sees to it that what the file system cannot do without has room underneath; called when it is opened and when something was removed. Does not throw.</summary>
    void Secure();

    /// <summary>Makes the pool larger, online.</summary>
    void Grow(long totalBytes);

    /// <summary>Unmounts.</summary>
    void Unmount();
}
