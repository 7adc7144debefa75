using System.Buffers.Binary;

namespace Vivarium.Linux.Btrfs;

/// <summary>Which parts of its devices a btrfs has given to what. Source: struct btrfs_chunk in linux/btrfs_tree.h.</summary>
public static class ChunkTree
{
    private const ulong Tree = 3, FirstChunk = 256, Data = 1;
    private const uint ChunkItem = 228;
    private const int LengthAt = 0, TypeAt = 24, StripesAt = 44, FirstStripeAt = 48, StripeBytes = 32, StripeOffsetAt = 8;

    /// <summary>A part of a device.</summary>
    public readonly record struct Extent(long Offset, long Length);

    /// <summary>Where a file system with one device keeps what it cannot do without: metadata and its own tables. Parts that hold data as well are not among them.</summary>
    public static IReadOnlyList<Extent> MetadataOf(string path)
    {
        using var handle = BtrfsNative.OpenDirectory(path);
        var found = new List<Extent>();
        TreeSearch.Visit(handle, new TreeSearch.Range(Tree, FirstChunk, FirstChunk, ChunkItem, ChunkItem), path, (in TreeSearch.Item item, ReadOnlySpan<byte> data) =>
        {
            if (item.Type == ChunkItem)
            {
                Read(data, found);
            }

            return true;
        }, CancellationToken.None /* a few items */);
        return found;
    }

    /// <summary>Adds the parts of one chunk, unless it is for data.</summary>
    internal static void Read(ReadOnlySpan<byte> chunk, List<Extent> found)
    {
        if (chunk.Length < FirstStripeAt || (BinaryPrimitives.ReadUInt64LittleEndian(chunk[TypeAt..]) & Data) != 0)
        {
            return;
        }

        var length = BinaryPrimitives.ReadInt64LittleEndian(chunk[LengthAt..]);
        var stripes = BinaryPrimitives.ReadUInt16LittleEndian(chunk[StripesAt..]);
        for (var stripe = chunk[FirstStripeAt..]; stripes > 0 && stripe.Length >= StripeBytes; stripe = stripe[StripeBytes..], stripes--)
        {
            found.Add(new Extent(BinaryPrimitives.ReadInt64LittleEndian(stripe[StripeOffsetAt..]), length));
        }
    }
}
