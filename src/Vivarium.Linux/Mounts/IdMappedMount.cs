using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;
using Vivarium.Linux.Namespaces;

namespace Vivarium.Linux.Mounts;

/// <summary>
/// A mount on which the owners of files appear shifted, so that a sandbox's root owns its files without a chown of each. Kernel 5.12 and a file
/// system that takes part (ext4, btrfs, xfs, tmpfs from 6.3, overlay from 5.19 below it). Sources: open_tree(2), mount_setattr(2), move_mount(2).
/// </summary>
public static partial class IdMappedMount
{
    private const long SYS_open_tree = 428;
    private const long SYS_move_mount = 429;
    private const long SYS_mount_setattr = 442;
    private const uint OPEN_TREE_CLONE = 1;
    private const ulong MOUNT_ATTR_RDONLY = 1;
    private const ulong MOUNT_ATTR_NOSUID = 2;
    private const ulong MOUNT_ATTR_NODEV = 4;
    private const ulong MOUNT_ATTR_IDMAP = 0x00100000;
    private const uint MOVE_MOUNT_F_EMPTY_PATH = 4;

    /// <summary>Makes <paramref name="source"/> appear at <paramref name="target"/> with owners <see cref="IdRange.Inside"/> on disk shown as <see cref="IdRange.Outside"/>.</summary>
    /// <exception cref="LinuxException">EINVAL, EOPNOTSUPP or ENOSYS: this kernel or file system cannot; nothing is left behind.</exception>
    public static void Create(string source, string target, IReadOnlyList<IdRange> ranges, MountFlags flags = MountFlags.None)
    {
        using var user = UserNamespace.Create(ranges);
        using var tree = Detached(source, user, flags);
        Attach(tree, target);
    }

    /// <summary>A mount of <paramref name="source"/> with its owners shifted as <paramref name="user"/> maps them, attached nowhere yet: it goes with its descriptor.</summary>
    /// <exception cref="LinuxException">EINVAL, EOPNOTSUPP or ENOSYS: this kernel or file system cannot.</exception>
    public static unsafe SafeFileHandle Detached(string source, SafeFileHandle user, MountFlags flags = MountFlags.None)
    {
        using var arena = new NativeArena();
        // SAFETY: the arena keeps the text alive and terminated for the call, which only reads it.
        var fd = (int)Syscall(SYS_open_tree, Libc.AT_FDCWD, arena.Text(source), (nint)(OPEN_TREE_CLONE | Libc.O_CLOEXEC), 0, 0);
        Libc.Check(fd, "take a detached mount of", source);
        var tree = new SafeFileHandle(fd, ownsHandle: true);
        try
        {
            var set = MOUNT_ATTR_IDMAP
                | (flags.HasFlag(MountFlags.ReadOnly) ? MOUNT_ATTR_RDONLY : 0)
                | (flags.HasFlag(MountFlags.NoSetUid) ? MOUNT_ATTR_NOSUID : 0)
                | (flags.HasFlag(MountFlags.NoDevices) ? MOUNT_ATTR_NODEV : 0);
            // SAFETY: struct mount_attr is four 64-bit fields: attr_set, attr_clr, propagation, userns_fd.
            var attributes = stackalloc ulong[4] { set, 0, 0, (ulong)user.DangerousGetHandle() };
            Libc.Check((int)Syscall(SYS_mount_setattr, fd, arena.Text(""), Libc.AT_EMPTY_PATH, (nint)attributes, 32), "map the owners of", source);
            return tree;
        }
        catch
        {
            tree.Dispose();
            throw;
        }
    }

    /// <summary>Makes a detached mount appear at <paramref name="target"/>.</summary>
    public static unsafe void Attach(SafeFileHandle tree, string target)
    {
        using var arena = new NativeArena();
        // SAFETY: the arena keeps both texts alive and terminated for the call, which only reads them.
        Libc.Check(
            (int)Syscall(SYS_move_mount, tree.DangerousGetHandle(), arena.Text(""), Libc.AT_FDCWD, (nint)arena.Text(target), (nint)MOVE_MOUNT_F_EMPTY_PATH),
            "attach the mount at",
            target);
    }

    /// <summary>Why the owners of <paramref name="path"/> cannot be shifted by this kernel and its file system, in one line; null when they can. Attaches nothing.</summary>
    public static string? Refusal(string path)
    {
        try
        {
            using var user = UserNamespace.Create([new IdRange(0, 65_536, 65_536)]);
            using var tree = Detached(path, user);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static unsafe partial long Syscall(long number, nint directory, byte* path, nint a, nint b, nint c);
}
