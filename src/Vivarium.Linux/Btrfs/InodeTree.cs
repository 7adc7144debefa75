using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Linux.Btrfs;

/// <summary>
/// Inodes, names and content of one subvolume as its tree holds them, without going through a path: names are bytes, nothing a tenant made is followed.
/// Only for volumes nothing writes to, whose tree is complete on disk.
/// </summary>
internal sealed class InodeTree : IDisposable
{
    /// <summary>The root directory of every subvolume.</summary>
    internal const ulong Root = 256;

    private const ulong LastInode = unchecked((ulong)-256L);
    private const uint InodeItem = 1, InodeReference = 12, InodeExtendedReference = 13, Attribute = 24, DirectoryIndex = 96, ExtentData = 108, RootItem = 132;
    internal const int DirectoryItemHeader = 30;
    private readonly SafeFileHandle handle;
    private readonly string path;
    private readonly ulong id;

    internal InodeTree(string path)
    {
        this.path = path;
        handle = BtrfsNative.OpenDirectory(path);
        id = Subvolume.Read(handle, path).Id;
    }

    /// <summary>A name in a directory.</summary>
    /// <param name="Name">The bytes of the name.</param>
    /// <param name="Inode">What it stands for; 0 for a subvolume, which is empty in a snapshot.</param>
    internal readonly record struct Entry(byte[] Name, ulong Inode);

    /// <summary>Adds every inode changed after a transaction; null when there are more than the limit.</summary>
    /// <returns>Bytes of data written after it, or null.</returns>
    internal long? AddNewer(ulong since, HashSet<ulong> inodes, int limit, CancellationToken cancellationToken)
    {
        long written = 0;
        var counted = new HashSet<ulong>();
        var range = new TreeSearch.Range(id, Root, LastInode, 0, byte.MaxValue, since + 1);
        var complete = TreeSearch.Visit(handle, range, path, (in TreeSearch.Item item, ReadOnlySpan<byte> data) =>
        {
            if (item.Type == InodeItem && data.Length >= InodeFacts.ItemBytes)
            {
                if (InodeFacts.Read(data).Transaction > since)
                {
                    inodes.Add(item.ObjectId);
                }
            }
            else if (item.Type == ExtentData)
            {
                written += Written(data, since, counted);
            }

            return inodes.Count <= limit;
        }, cancellationToken);
        return complete ? written : null;
    }

    /// <summary>Facts of an inode; null when there is none.</summary>
    internal InodeFacts? Find(ulong inode)
    {
        InodeFacts? found = null;
        Visit(inode, InodeItem, InodeItem, (in TreeSearch.Item _, ReadOnlySpan<byte> data) =>
        {
            found = data.Length >= InodeFacts.ItemBytes ? InodeFacts.Read(data) : null;
            return false;
        });
        return found;
    }

    /// <summary>Adds the directories an inode has names in.</summary>
    internal void AddParents(ulong inode, Stack<ulong> parents) =>
        Visit(inode, InodeReference, InodeExtendedReference, (in TreeSearch.Item item, ReadOnlySpan<byte> data) =>
        {
            if (item.Type == InodeReference)
            {
                parents.Push(item.Offset);
                return true;
            }

            // struct btrfs_inode_extref, one after the other: parent, index, length of the name, name.
            while (data.Length >= 18)
            {
                parents.Push(BinaryPrimitives.ReadUInt64LittleEndian(data));
                data = data[Math.Min(data.Length, 18 + BinaryPrimitives.ReadUInt16LittleEndian(data[16..]))..];
            }

            return true;
        });

    /// <summary>The entries of a directory, in the order they were made.</summary>
    internal List<Entry> Entries(ulong directory)
    {
        var entries = new List<Entry>();
        Visit(directory, DirectoryIndex, DirectoryIndex, (in TreeSearch.Item _, ReadOnlySpan<byte> data) =>
        {
            // struct btrfs_dir_item: key of what it stands for, transaction, lengths of data and name, type, name.
            if (data.Length >= DirectoryItemHeader)
            {
                entries.Add(ReadEntry(data));
            }

            return true;
        });
        return entries;
    }

    /// <summary>An entry of a directory, from an item of at least <see cref="DirectoryItemHeader"/> bytes.</summary>
    internal static Entry ReadEntry(ReadOnlySpan<byte> data)
    {
        var length = Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(data[27..]), data.Length - DirectoryItemHeader);
        return new Entry(data.Slice(DirectoryItemHeader, length).ToArray(), data[8] == RootItem ? 0 : BinaryPrimitives.ReadUInt64LittleEndian(data));
    }

    /// <summary>
    /// The items of an inode's content (or of its attributes), without what only says when they were written: equal lists mean equal content, different ones that
    /// it has to be read.
    /// </summary>
    internal List<(ulong Offset, byte[] Data)> Content(ulong inode, bool attributes)
    {
        var type = attributes ? Attribute : ExtentData;
        var found = new List<(ulong, byte[])>();
        Visit(inode, type, type, (in TreeSearch.Item item, ReadOnlySpan<byte> data) =>
        {
            // An extent begins with its transaction; an attribute has its own after the key of what it stands for.
            found.Add((item.Offset, attributes && data.Length > 25 ? [.. data[..17], .. data[25..]] : data.Length > 8 ? data[8..].ToArray() : []));
            return true;
        });
        return found;
    }

    public void Dispose() => handle.Dispose();

    private void Visit(ulong inode, uint firstType, uint lastType, TreeSearch.Visitor visitor) =>
        TreeSearch.Visit(handle, new TreeSearch.Range(id, inode, inode, firstType, lastType), path, visitor, CancellationToken.None /* one inode */);

    internal static long Written(ReadOnlySpan<byte> extent, ulong since, HashSet<ulong> counted)
    {
        const int typeOffset = 0x14, dataOffset = 0x15, bytesOffset = 0x1d;
        if (extent.Length <= dataOffset || BinaryPrimitives.ReadUInt64LittleEndian(extent) <= since)
        {
            return 0;
        }

        if (extent[typeOffset] == 0)
        {
            return extent.Length - dataOffset;
        }

        return extent.Length >= bytesOffset + 8 && BinaryPrimitives.ReadUInt64LittleEndian(extent[dataOffset..]) is > 0 and var address && counted.Add(address)
            ? BinaryPrimitives.ReadInt64LittleEndian(extent[bytesOffset..])
            : 0;
    }
}
