using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Linux.Btrfs;

/// <summary>Subvolumes inside subvolumes, and what they hold, read from the trees themselves.</summary>
public static class SubvolumeTree
{
    private const ulong RootTree = 1;
    private const uint RootReference = 156;
    private const uint ExtentData = 108;
    private const ulong OrphanObject = unchecked((ulong)-5L);
    private const uint OrphanItem = 48;
    private const int MaximumDepth = 64;
    private const int MaximumDescendants = 100_000;

    /// <summary>Bytes of file data in a subvolume.</summary>
    /// <param name="Referenced">All data it refers to; ranges shared within it count once per reference.</param>
    /// <param name="Written">Data written into it since it was made: what deleting it frees while no snapshot of it exists.</param>
    /// <param name="Complete">False when the bound was reached: the figures are lower bounds.</param>
    public readonly record struct DataBytes(long Referenced, long Written, bool Complete);

    /// <summary>Adds up the extents of a subvolume without walking its directories.</summary>
    /// <param name="path">Root of the subvolume.</param>
    /// <param name="maximumItems">Items looked at before giving up; some 10 million a second pass.</param>
    /// <param name="cancellationToken">Checked between batches.</param>
    public static DataBytes Measure(string path, long maximumItems, CancellationToken cancellationToken)
    {
        using var handle = BtrfsNative.OpenDirectory(path);
        var info = Subvolume.Read(handle, path);
        long referenced = 0, written = 0, seen = 0;
        var counted = new HashSet<ulong>();
        var complete = TreeSearch.Visit(handle, new TreeSearch.Range(info.Id, 0, ulong.MaxValue, 0, byte.MaxValue), path, (in TreeSearch.Item item, ReadOnlySpan<byte> data) =>
        {
            if (item.Type == ExtentData)
            {
                Count(data, info.CreationTransaction, counted, ref referenced, ref written);
            }

            return ++seen < maximumItems;
        }, cancellationToken);
        return new DataBytes(referenced, written, complete);
    }

    /// <summary>Whether removed subvolumes wait for the kernel to free them.</summary>
    public static bool HasUnfreed(string path)
    {
        using var handle = BtrfsNative.OpenDirectory(path);
        var none = TreeSearch.Visit(
            handle,
            new TreeSearch.Range(RootTree, OrphanObject, OrphanObject, OrphanItem, OrphanItem),
            path,
            (in TreeSearch.Item _, ReadOnlySpan<byte> _) => false,
            CancellationToken.None /* ends at the first item */);
        return !none;
    }

    /// <summary>Deletes every subvolume below the one at <paramref name="path"/>, innermost first.</summary>
    internal static void DeleteDescendants(string path)
    {
        using var handle = BtrfsNative.OpenDirectory(path);
        var root = Subvolume.Read(handle, path).Id;
        var found = new List<(ulong Id, ulong Parent)>();
        Collect(handle, root, path, found, 0);
        for (var i = found.Count - 1; i >= 0; i--)
        {
            var errno = Subvolume.DeleteById(handle, found[i].Id);
            if (errno == Errno.EROFS)
            {
                // The tenant made the subvolume around it read-only; it is going away too.
                MakeWritable(handle, path, root, found[i].Parent, found);
                errno = Subvolume.DeleteById(handle, found[i].Id);
            }

            if (errno is not (0 or Errno.ENOENT))
            {
                throw new LinuxException("delete nested subvolume", path, errno);
            }
        }
    }

    private static void Collect(SafeFileHandle handle, ulong parent, string path, List<(ulong Id, ulong Parent)> found, int depth)
    {
        if (depth > MaximumDepth || found.Count > MaximumDescendants)
        {
            throw new LinuxException("list nested subvolumes (too many)", path, Errno.EBUSY);
        }

        var children = new List<ulong>();
        TreeSearch.Visit(handle, new TreeSearch.Range(RootTree, parent, parent, RootReference, RootReference), path, (in TreeSearch.Item item, ReadOnlySpan<byte> _) =>
        {
            if (item.Type == RootReference && item.ObjectId == parent)
            {
                children.Add(item.Offset);
            }

            return children.Count < MaximumDescendants;
        }, CancellationToken.None /* short and bounded */);
        foreach (var child in children)
        {
            found.Add((child, parent));
            Collect(handle, child, path, found, depth + 1);
        }
    }

    private static void MakeWritable(SafeFileHandle handle, string rootPath, ulong root, ulong id, List<(ulong Id, ulong Parent)> found)
    {
        var relative = new List<byte[]>();
        for (var current = id; current != root;)
        {
            var parent = found.Find(entry => entry.Id == current).Parent;
            relative.Insert(0, PathIn(handle, rootPath, parent, current));
            current = parent;
        }

        using var subvolume = Trees.BeneathHandle.OpenDirectory(handle, rootPath, relative);
        Span<byte> flags = stackalloc byte[8];
        flags.Clear();
        BtrfsNative.Do(subvolume, BtrfsNative.SetFlags, flags, "make nested subvolume writable", rootPath);
    }

    /// <summary>Path of a child subvolume inside its parent: the directory from its inode, then the name.</summary>
    private static byte[] PathIn(SafeFileHandle handle, string rootPath, ulong parent, ulong child)
    {
        ulong directory = 0;
        byte[] name = [];
        TreeSearch.Visit(handle, new TreeSearch.Range(RootTree, parent, parent, RootReference, RootReference), rootPath, (in TreeSearch.Item item, ReadOnlySpan<byte> data) =>
        {
            if (item.Offset != child || item.Type != RootReference || data.Length < 18)
            {
                return true;
            }

            directory = BinaryPrimitives.ReadUInt64LittleEndian(data);
            name = data.Slice(18, Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(data[16..]), data.Length - 18)).ToArray();
            return false;
        }, CancellationToken.None /* short and bounded */);

        // struct btrfs_ioctl_ino_lookup_args: tree id, object id, then the path with a slash at its end.
        var arguments = new byte[4096];
        BinaryPrimitives.WriteUInt64LittleEndian(arguments, parent);
        BinaryPrimitives.WriteUInt64LittleEndian(arguments.AsSpan(8), directory);
        BtrfsNative.Do(handle, BtrfsNative.InodeLookup, arguments, "find nested subvolume", rootPath);
        var prefix = arguments.AsSpan(16);
        return [.. prefix[..prefix.IndexOf((byte)0)], .. name];
    }

    private static void Count(ReadOnlySpan<byte> extent, ulong since, HashSet<ulong> counted, ref long referenced, ref long written)
    {
        const int typeOffset = 0x14, addressOffset = 0x15, diskBytesOffset = 0x1d, bytesOffset = 0x2d;
        if (extent.Length <= addressOffset)
        {
            return;
        }

        var isNew = BinaryPrimitives.ReadUInt64LittleEndian(extent) > since;
        if (extent[typeOffset] == 0)
        {
            // Inline: the data is in the item itself.
            var inline = extent.Length - addressOffset;
            referenced += inline;
            written += isNew ? inline : 0;
            return;
        }

        if (extent.Length < bytesOffset + 8)
        {
            return;
        }

        var address = BinaryPrimitives.ReadUInt64LittleEndian(extent[addressOffset..]);
        if (address == 0)
        {
            return;
        }

        referenced += BinaryPrimitives.ReadInt64LittleEndian(extent[bytesOffset..]);
        if (isNew && counted.Add(address))
        {
            written += BinaryPrimitives.ReadInt64LittleEndian(extent[diskBytesOffset..]);
        }
    }
}
