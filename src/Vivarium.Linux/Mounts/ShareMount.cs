using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Mounts;

/// <summary>
/// A copy of the mounts at and below a path, attached nowhere yet: it goes with its descriptor. The path is opened without following any link, so that what was
/// checked is what is mounted; read-only holds for every mount in the copy. Kernel 5.12. Sources: openat2(2), open_tree(2), mount_setattr(2), move_mount(2).
/// </summary>
public static partial class ShareMount
{
    private const long SYS_open_tree = 428;
    private const long SYS_move_mount = 429;
    private const long SYS_openat2 = 437;
    private const long SYS_mount_setattr = 442;
    private const ulong RESOLVE_NO_MAGICLINKS = 2;
    private const ulong RESOLVE_NO_SYMLINKS = 4;
    private const uint OPEN_TREE_CLONE = 1;
    private const uint AT_RECURSIVE = 0x8000;
    private const ulong MOUNT_ATTR_RDONLY = 1;
    private const ulong MOUNT_ATTR_NOSUID = 2;
    private const ulong MOUNT_ATTR_NODEV = 4;
    private const ulong MOUNT_ATTR_IDMAP = 0x00100000;
    private const ulong MS_PRIVATE = 1 << 18;
    private const uint MOVE_MOUNT_F_EMPTY_PATH = 4;

    /// <summary>Takes the copy. Set-user-id bits and device files mean nothing in it.</summary>
    /// <param name="path">Absolute path of a file or directory, without links.</param>
    /// <param name="readOnly">Whether nothing can be written through it, whatever is done to it later.</param>
    /// <param name="user">User namespace whose ids the owners are shown with; null: as they are.</param>
    /// <param name="recursive">Whether mounts below come along.</param>
    /// <exception cref="LinuxException">ENOENT: not there; ELOOP: a link is on the way; EINVAL, EOPNOTSUPP: owners cannot be mapped here.</exception>
    public static unsafe SafeFileHandle Take(string path, bool readOnly, SafeFileHandle? user = null, bool recursive = true)
    {
        using var place = OpenWithoutLinks(path);
        using var arena = new NativeArena();
        var depth = recursive ? AT_RECURSIVE : 0;
        var fd = (int)Syscall(
            SYS_open_tree, place.DangerousGetHandle(), arena.Text(""), (nint)(OPEN_TREE_CLONE | (uint)Libc.O_CLOEXEC | (uint)Libc.AT_EMPTY_PATH | depth), 0, 0);
        Libc.Check(fd, "take a detached mount of", path);
        var tree = new SafeFileHandle(fd, ownsHandle: true);
        try
        {
            var set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (readOnly ? MOUNT_ATTR_RDONLY : 0) | (user is null ? 0 : MOUNT_ATTR_IDMAP);

            // SAFETY: struct mount_attr is four 64-bit fields: attr_set, attr_clr, propagation, userns_fd.
            var attributes = stackalloc ulong[4] { set, 0, MS_PRIVATE, user is null ? 0 : (ulong)user.DangerousGetHandle() };
            Libc.Check(
                (int)Syscall(SYS_mount_setattr, fd, arena.Text(""), (nint)((uint)Libc.AT_EMPTY_PATH | depth), (nint)attributes, 32), "set the flags of a mount of", path);
            return tree;
        }
        catch
        {
            tree.Dispose();
            throw;
        }
    }

    /// <summary>Makes the copy appear at <paramref name="target"/>, which must be of the same kind.</summary>
    public static unsafe void Attach(SafeFileHandle tree, string target)
    {
        using var arena = new NativeArena();

        // SAFETY: both texts live in the arena until the call has returned.
        Libc.Check(
            (int)Syscall(SYS_move_mount, tree.DangerousGetHandle(), arena.Text(""), Libc.AT_FDCWD, (nint)arena.Text(target), (nint)MOVE_MOUNT_F_EMPTY_PATH),
            "attach the mount at",
            target);
    }

    private static unsafe SafeFileHandle OpenWithoutLinks(string path)
    {
        using var arena = new NativeArena();

        // SAFETY: struct open_how is three 64-bit fields: flags, mode, resolve.
        var how = stackalloc ulong[3] { (ulong)(uint)(Libc.O_PATH | Libc.O_CLOEXEC), 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
        while (true)
        {
            var fd = (int)Syscall(SYS_openat2, Libc.AT_FDCWD, arena.Text(path), (nint)how, 24, 0);
            if (fd >= 0)
            {
                return new SafeFileHandle(fd, ownsHandle: true);
            }

            if (Marshal.GetLastPInvokeError() is not (Errno.EINTR or Errno.EAGAIN))
            {
                throw LinuxException.Last("open", path);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static unsafe partial long Syscall(long number, nint directory, byte* path, nint a, nint b, nint c);
}
