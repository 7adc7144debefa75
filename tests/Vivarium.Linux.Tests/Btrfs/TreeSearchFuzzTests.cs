using System.Buffers.Binary;
using Vivarium.Linux.Btrfs;
using Vivarium.TestKit;

namespace Vivarium.Linux.Tests.Btrfs;

/// <summary>What the kernel answers to a search in a tree, damaged: taken apart within their bounds or refused.</summary>
public sealed class TreeSearchFuzzTests
{
    [Fact]
    public void Items_lie_within_the_answer_or_it_is_refused()
    {
        var visited = 0;
        byte[] answer = [.. Item(256, 1, new byte[160]), .. Item(256, 96, DirectoryEntry("name")), .. Item(257, 108, new byte[53]), .. Item(257, 108, new byte[30])];
        Fuzz.Bytes(
            [answer],
            bytes =>
            {
                var last = default(TreeSearch.Item);
                var counted = new HashSet<ulong>();
                TreeSearch.Each(bytes, 4, "/pool", (in TreeSearch.Item item, ReadOnlySpan<byte> data) =>
                {
                    visited++;
                    if (data.Length >= InodeFacts.ItemBytes)
                    {
                        _ = InodeFacts.Read(data);
                    }

                    if (data.Length >= InodeTree.DirectoryItemHeader)
                    {
                        Assert.InRange(InodeTree.ReadEntry(data).Name.Length, 0, data.Length);
                    }

                    InodeTree.Written(data, 0, counted);
                    ChunkTree.Read(data, []);
                    return item.ObjectId < 1000;
                }, ref last);
            },
            static e => e is LinuxException);
        Assert.True(visited > 1000);
    }

    private static byte[] Item(ulong objectId, uint type, byte[] data)
    {
        var item = new byte[32 + data.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(item.AsSpan(8), objectId);
        BinaryPrimitives.WriteUInt32LittleEndian(item.AsSpan(24), type);
        BinaryPrimitives.WriteUInt32LittleEndian(item.AsSpan(28), (uint)data.Length);
        data.CopyTo(item, 32);
        return item;
    }

    private static byte[] DirectoryEntry(string name)
    {
        var data = new byte[30 + name.Length];
        BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(27), (ushort)name.Length);
        return data;
    }
}
