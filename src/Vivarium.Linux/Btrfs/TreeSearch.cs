using System.Buffers;
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Linux.Btrfs;

/// <summary>Reads items of a tree (BTRFS_IOC_TREE_SEARCH_V2, root only), in key order.</summary>
internal static class TreeSearch
{
    private const int ArgumentBytes = 0x70;
    private const int HeaderBytes = 0x20;
    private const int BufferBytes = 256 * 1024;

    /// <summary>Key of an item.</summary>
    internal readonly record struct Item(ulong ObjectId, uint Type, ulong Offset);

    /// <summary>
    /// Which keys of which tree; types bound only the first and last object. With a transaction, only leaves written in it or later are looked at: the kernel
    /// skips the others without reading them, but an old item in a young leaf is still shown.
    /// </summary>
    internal readonly record struct Range(ulong Tree, ulong FirstObject, ulong LastObject, uint FirstType, uint LastType, ulong FirstTransaction = 0);

    /// <summary>Takes one item; false ends the search.</summary>
    internal delegate bool Visitor(in Item item, ReadOnlySpan<byte> data);

    /// <summary>Visits the items; false when the visitor ended it early.</summary>
    internal static bool Visit(SafeFileHandle handle, Range range, string path, Visitor visitor, CancellationToken cancellationToken)
    {
        var rented = ArrayPool<byte>.Shared.Rent(ArgumentBytes + BufferBytes);
        try
        {
            var next = new Item(range.FirstObject, range.FirstType, 0);
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var count = Search(handle, rented, range, next, path);
                if (count == 0)
                {
                    return true;
                }

                if (!Each(rented.AsSpan(ArgumentBytes, BufferBytes), count, path, visitor, ref next))
                {
                    return false;
                }

                if (next.Offset < ulong.MaxValue)
                {
                    next = next with { Offset = next.Offset + 1 };
                }
                else if (next.Type < byte.MaxValue)
                {
                    next = new Item(next.ObjectId, next.Type + 1, 0);
                }
                else
                {
                    next = new Item(next.ObjectId + 1, 0, 0);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Takes the items of one answer apart; <paramref name="last"/> is the key of the last one.</summary>
    /// <exception cref="LinuxException">EIO: an item does not lie within the answer.</exception>
    internal static bool Each(ReadOnlySpan<byte> answer, uint count, string path, Visitor visitor, ref Item last)
    {
        for (var i = 0u; i < count; i++)
        {
            var length = answer.Length < HeaderBytes ? uint.MaxValue : BinaryPrimitives.ReadUInt32LittleEndian(answer[28..]);
            if (length > answer.Length - HeaderBytes)
            {
                throw new LinuxException("search tree", path, Errno.EIO);
            }

            var item = new Item(
                BinaryPrimitives.ReadUInt64LittleEndian(answer[8..]), BinaryPrimitives.ReadUInt32LittleEndian(answer[24..]), BinaryPrimitives.ReadUInt64LittleEndian(answer[16..]));
            if (!visitor(in item, answer.Slice(HeaderBytes, (int)length)))
            {
                return false;
            }

            answer = answer[(HeaderBytes + (int)length)..];
            last = item;
        }

        return true;
    }

    private static uint Search(SafeFileHandle handle, byte[] buffer, Range range, Item first, string path)
    {
        // struct btrfs_ioctl_search_key, then the size of what follows.
        var key = buffer.AsSpan(0, ArgumentBytes);
        key.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(key, range.Tree);
        BinaryPrimitives.WriteUInt64LittleEndian(key[8..], first.ObjectId);
        BinaryPrimitives.WriteUInt64LittleEndian(key[16..], range.LastObject);
        BinaryPrimitives.WriteUInt64LittleEndian(key[24..], first.Offset);
        BinaryPrimitives.WriteUInt64LittleEndian(key[32..], ulong.MaxValue);
        BinaryPrimitives.WriteUInt64LittleEndian(key[40..], range.FirstTransaction);
        BinaryPrimitives.WriteUInt64LittleEndian(key[48..], ulong.MaxValue);
        BinaryPrimitives.WriteUInt32LittleEndian(key[56..], first.Type);
        BinaryPrimitives.WriteUInt32LittleEndian(key[60..], range.LastType);
        BinaryPrimitives.WriteUInt32LittleEndian(key[64..], uint.MaxValue);
        BinaryPrimitives.WriteUInt64LittleEndian(key[104..], BufferBytes);
        BtrfsNative.Do(handle, BtrfsNative.TreeSearch, buffer.AsSpan(0, ArgumentBytes + BufferBytes), "search tree of", path);
        return BinaryPrimitives.ReadUInt32LittleEndian(key[64..]);
    }
}
