using System.Buffers.Binary;

namespace Vivarium.Linux.Btrfs;

/// <summary>What a tree holds of one inode (struct btrfs_inode_item of linux/btrfs_tree.h).</summary>
/// <param name="Generation">Transaction that made it; with the number it is unique.</param>
/// <param name="Transaction">Transaction that last changed it in any way.</param>
/// <param name="Size">Bytes of content.</param>
/// <param name="Uid">Owner.</param>
/// <param name="Gid">Group.</param>
/// <param name="Mode">Type and permissions.</param>
/// <param name="Node">Device number of a device node.</param>
/// <param name="ModifySeconds">Time of modification.</param>
/// <param name="ModifyNanoseconds">Rest of it.</param>
internal readonly record struct InodeFacts(
    ulong Generation, ulong Transaction, ulong Size, uint Uid, uint Gid, uint Mode, ulong Node, ulong ModifySeconds, uint ModifyNanoseconds)
{
    internal const int ItemBytes = 160;
    private const uint TypeMask = 0xF000;

    internal uint Type => Mode & TypeMask;

    internal bool IsDirectory => Type == 0x4000;

    internal bool IsRegular => Type == 0x8000;

    internal static InodeFacts Read(ReadOnlySpan<byte> item) => new(
        BinaryPrimitives.ReadUInt64LittleEndian(item),
        BinaryPrimitives.ReadUInt64LittleEndian(item[8..]),
        BinaryPrimitives.ReadUInt64LittleEndian(item[16..]),
        BinaryPrimitives.ReadUInt32LittleEndian(item[44..]),
        BinaryPrimitives.ReadUInt32LittleEndian(item[48..]),
        BinaryPrimitives.ReadUInt32LittleEndian(item[52..]),
        BinaryPrimitives.ReadUInt64LittleEndian(item[56..]),
        BinaryPrimitives.ReadUInt64LittleEndian(item[136..]),
        BinaryPrimitives.ReadUInt32LittleEndian(item[144..]));

    /// <summary>Whether all that a person can see of both, the content apart, is the same. A directory's size and time follow from its entries.</summary>
    internal bool LooksLike(in InodeFacts other) =>
        Mode == other.Mode && Uid == other.Uid && Gid == other.Gid && Node == other.Node
        && (IsDirectory || (Size == other.Size && ModifySeconds == other.ModifySeconds && ModifyNanoseconds == other.ModifyNanoseconds));
}
