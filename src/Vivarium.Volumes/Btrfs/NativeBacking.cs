using Vivarium.Wire.Errors;

namespace Vivarium.Volumes.Btrfs;

/// <summary>The state directory lies on btrfs itself.</summary>
internal sealed class NativeBacking : IPoolBacking
{
    public long? RoomBeneath(long dataBytes) => null;

    public void Secure()
    {
    }

    public void Grow(long totalBytes) => throw new VivariumException(
        ErrorCode.Unimplemented, "the pool cannot be grown: it is part of the machine's own btrfs file system", "enlarge that file system");

    public void Unmount()
    {
    }
}
