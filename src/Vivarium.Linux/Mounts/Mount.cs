using System.Runtime.InteropServices;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Mounts;

/// <summary>Making and ending mounts. Sources: mount(2), umount2(2).</summary>
public static partial class Mount
{
    private const ulong MS_REMOUNT = 32;
    private const ulong MS_BIND = 4096;
    private const ulong MS_REC = 16384;
    private const ulong MS_PRIVATE = 1 << 18;
    private const int MNT_DETACH = 2;
    private const int UMOUNT_NOFOLLOW = 8;

    /// <summary>Mounts a file system.</summary>
    /// <param name="source">Device or word; for tmpfs and its like any word.</param>
    /// <param name="target">Existing directory.</param>
    /// <param name="fileSystem">For example <c>btrfs</c>, <c>tmpfs</c>.</param>
    /// <param name="flags">Flags.</param>
    /// <param name="data">Options of the file system, comma-separated.</param>
    public static void FileSystem(string source, string target, string fileSystem, MountFlags flags = MountFlags.None, string? data = null) =>
        Libc.Check(MountRaw(source, target, fileSystem, (ulong)flags, data), $"mount {fileSystem} on", target);

    /// <summary>Makes <paramref name="source"/> (directory or file) appear at <paramref name="target"/>, which must be of the same kind.</summary>
    public static void Bind(string source, string target, bool readOnly = false, bool recursive = false, MountFlags flags = MountFlags.None)
    {
        Libc.Check(MountRaw(source, target, null, MS_BIND | (recursive ? MS_REC : 0), null), $"bind-mount '{source}' on", target);
        var extra = (ulong)flags | (readOnly ? (ulong)MountFlags.ReadOnly : 0);
        if (extra == 0)
        {
            return;
        }

        // A bind mount takes its flags only by a second call.
        if (MountRaw(null, target, null, MS_BIND | MS_REMOUNT | extra, null) != 0)
        {
            var error = LinuxException.Last($"set flags of bind mount '{source}' on", target);
            Unmount(target);
            throw error;
        }
    }

    /// <summary>Changes made here stay here and none from elsewhere arrive.</summary>
    public static void MakePrivate(string target, bool recursive = true) =>
        Libc.Check(MountRaw(null, target, null, MS_PRIVATE | (recursive ? MS_REC : 0), null), "make mount private", target);

    /// <summary>Ends the topmost mount on <paramref name="target"/>; false when nothing is mounted there, or it does not exist.</summary>
    /// <param name="target">The mount point; not followed when it is a link.</param>
    /// <param name="lazy">Detach now, end when the last user is gone, instead of refusing (EBUSY).</param>
    public static bool Unmount(string target, bool lazy = false)
    {
        if (UMount2(target, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() is Errno.EINVAL or Errno.ENOENT ? false : throw LinuxException.Last("unmount", target);
    }

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MountRaw(string? source, string target, string? fileSystem, ulong flags, string? data);

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int UMount2(string target, int flags);
}

/// <summary>Flags of a mount. Source: mount(2).</summary>
[Flags]
public enum MountFlags : ulong
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>No writing.</summary>
    ReadOnly = 1,

    /// <summary>Set-user-id bits mean nothing.</summary>
    NoSetUid = 2,

    /// <summary>Device files mean nothing.</summary>
    NoDevices = 4,

    /// <summary>Nothing can be executed.</summary>
    NoExecute = 8,

    /// <summary>Times of access are not kept.</summary>
    NoAccessTime = 1024,
}
