using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Linux.Btrfs;

/// <summary>What the kernel knows of a subvolume (BTRFS_IOC_GET_SUBVOL_INFO).</summary>
/// <param name="Id">Tree id, unique in the file system and never reused.</param>
/// <param name="ParentId">Tree id of the subvolume it lies in.</param>
/// <param name="ReadOnly">Whether writes are refused.</param>
/// <param name="CreationTransaction">Transaction that made it: extents newer than this were written into it.</param>
/// <param name="Generation">Transaction that last touched it: after a sync it is the same as long as nothing was written and no snapshot of it was made.</param>
public sealed record SubvolumeInfo(ulong Id, ulong ParentId, bool ReadOnly, ulong CreationTransaction, ulong Generation);

/// <summary>What became of a subvolume.</summary>
public enum SubvolumeRemoval
{
    /// <summary>It is gone.</summary>
    Removed,

    /// <summary>It was not there.</summary>
    Missing,

    /// <summary>It is still there, because other subvolumes lie in it.</summary>
    HoldsOthers,
}

/// <summary>Subvolumes by system call: create, snapshot, delete, flags. Needs root except where said.</summary>
public static class Subvolume
{
    private const ulong ReadOnlyFlag = 1UL << 1;
    private const ulong SpecById = 1UL << 4;
    private const int NameOffset = 0x38;
    private const int MaximumName = 4039;

    /// <summary>Makes an empty writable subvolume at <paramref name="path"/>, which must not exist.</summary>
    /// <exception cref="LinuxException">EEXIST, ENOSPC, ENOTTY (not btrfs) …</exception>
    public static void Create(string path)
    {
        using var parent = BtrfsNative.OpenDirectory(ParentOf(path));
        var arguments = Arguments(path, descriptor: 0, flags: 0);
        BtrfsNative.Do(parent, BtrfsNative.SubvolumeCreate, arguments, "create subvolume", path);
    }

    /// <summary>Makes a snapshot of the subvolume <paramref name="source"/> at <paramref name="path"/>, which must not exist. Atomic and durable when it returns.</summary>
    public static void Snapshot(string source, string path, bool readOnly)
    {
        using var sourceHandle = BtrfsNative.OpenDirectory(source);
        using var parent = BtrfsNative.OpenDirectory(ParentOf(path));
        var arguments = Arguments(path, sourceHandle.DangerousGetHandle(), readOnly ? ReadOnlyFlag : 0);
        BtrfsNative.Do(parent, BtrfsNative.SnapshotCreate, arguments, "snapshot subvolume", path);
    }

    /// <summary>
    /// Unlinks a subvolume in one step; its space is freed by the kernel in the background.
    /// </summary>
    /// <returns><see cref="SubvolumeRemoval.HoldsOthers"/> when there are subvolumes inside: nothing has changed then, see <see cref="Delete"/>.</returns>
    public static SubvolumeRemoval TryDelete(string path)
    {
        using var parent = BtrfsNative.OpenDirectory(ParentOf(path));
        return BtrfsNative.Call(parent, BtrfsNative.SnapshotDestroy, Arguments(path, 0, 0)) switch
        {
            0 => SubvolumeRemoval.Removed,
            Errno.ENOENT => SubvolumeRemoval.Missing,
            Errno.ENOTEMPTY => SubvolumeRemoval.HoldsOthers,
            var errno => throw new LinuxException("delete subvolume", path, errno),
        };
    }

    /// <summary>Deletes a subvolume with all subvolumes inside it, one by one; false when nothing is there.</summary>
    /// <remarks>Subvolumes made inside by a tenant are found in the root tree and deleted by id, so no path the tenant made is ever walked.</remarks>
    public static bool Delete(string path)
    {
        var removal = TryDelete(path);
        if (removal == SubvolumeRemoval.HoldsOthers)
        {
            SubvolumeTree.DeleteDescendants(path);
            removal = TryDelete(path);
        }

        return removal switch
        {
            SubvolumeRemoval.Removed => true,
            SubvolumeRemoval.Missing => false,
            _ => throw new LinuxException("delete subvolume", path, Errno.ENOTEMPTY),
        };
    }

    /// <summary>Whether a path is the root of a btrfs subvolume; false also when it is not there.</summary>
    public static bool IsSubvolume(string path) => TryInfo(path) is { } info && info.Id != 0;

    /// <summary>Facts about the subvolume whose root is <paramref name="path"/>.</summary>
    public static SubvolumeInfo Info(string path)
    {
        using var handle = BtrfsNative.OpenDirectory(path);
        return Read(handle, path);
    }

    /// <summary>Makes a subvolume read-only or writable again.</summary>
    public static void SetReadOnly(string path, bool readOnly)
    {
        using var handle = BtrfsNative.OpenDirectory(path);
        Span<byte> flags = stackalloc byte[8];
        BtrfsNative.Do(handle, BtrfsNative.GetFlags, flags, "read flags of subvolume", path);
        var current = BinaryPrimitives.ReadUInt64LittleEndian(flags);
        var wanted = readOnly ? current | ReadOnlyFlag : current & ~ReadOnlyFlag;
        if (wanted != current)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(flags, wanted);
            BtrfsNative.Do(handle, BtrfsNative.SetFlags, flags, "set flags of subvolume", path);
        }
    }

    /// <summary>Deletes by tree id, below the mount that <paramref name="fileSystem"/> lies on; returns the errno.</summary>
    internal static int DeleteById(SafeFileHandle fileSystem, ulong id)
    {
        var arguments = new byte[4096];
        BinaryPrimitives.WriteUInt64LittleEndian(arguments.AsSpan(16), SpecById);
        BinaryPrimitives.WriteUInt64LittleEndian(arguments.AsSpan(NameOffset), id);
        return BtrfsNative.Call(fileSystem, BtrfsNative.SnapshotDestroy, arguments);
    }

    internal static SubvolumeInfo Read(SafeFileHandle handle, string path)
    {
        var buffer = new byte[0x1f8];
        BtrfsNative.Do(handle, BtrfsNative.SubvolumeInfo, buffer, "read subvolume", path);
        var span = buffer.AsSpan();
        return new SubvolumeInfo(
            BinaryPrimitives.ReadUInt64LittleEndian(span),
            BinaryPrimitives.ReadUInt64LittleEndian(span[0x108..]),
            (BinaryPrimitives.ReadUInt64LittleEndian(span[0x120..]) & 1) != 0,
            BinaryPrimitives.ReadUInt64LittleEndian(span[0x160..]),
            BinaryPrimitives.ReadUInt64LittleEndian(span[0x118..]));
    }

    private static SubvolumeInfo? TryInfo(string path)
    {
        try
        {
            // A subvolume's root always has inode 256; a plain directory answers for the subvolume around it.
            return Trees.EntryStatus.OfLink(path) is { Inode: 256, IsDirectory: true } ? Info(path) : null;
        }
        catch (LinuxException)
        {
            return null;
        }
    }

    private static byte[] Arguments(string path, nint descriptor, ulong flags)
    {
        // struct btrfs_ioctl_vol_args_v2: fd, transid, flags, four reserved words, name.
        var name = Encoding.UTF8.GetBytes(Path.GetFileName(path));
        ArgumentOutOfRangeException.ThrowIfZero(name.Length, nameof(path));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(name.Length, MaximumName, nameof(path));
        var arguments = new byte[4096];
        BinaryPrimitives.WriteInt64LittleEndian(arguments, descriptor);
        BinaryPrimitives.WriteUInt64LittleEndian(arguments.AsSpan(16), flags);
        name.CopyTo(arguments.AsSpan(NameOffset));
        return arguments;
    }

    private static string ParentOf(string path) =>
        Path.GetDirectoryName(path) is { Length: > 0 } parent ? parent : throw new ArgumentException("an absolute path below a directory is needed", nameof(path));
}
