using System.Runtime.InteropServices;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Files;

/// <summary>Changes to names and metadata that .NET lacks. None follows a final symbolic link. Sources: chown(2), utimensat(2), mknod(2), link(2), rename(2).</summary>
public static partial class FileChanges
{
    private const long UTIME_OMIT = (1L << 30) - 2;
    private const uint RENAME_NOREPLACE = 1;
    private const uint RENAME_EXCHANGE = 2;

    /// <summary>Changes owner and group; <see cref="uint.MaxValue"/> leaves one as it is. Clears set-user-id bits, as always.</summary>
    public static void Chown(string path, uint uid, uint gid) => Libc.Check(LChown(path, uid, gid), "change owner of", path);

    /// <summary>Sets the permission bits (07777) of a file that is no symbolic link.</summary>
    public static void Chmod(string path, int mode) => Libc.Check(ChmodRaw(path, (uint)mode), "change mode of", path);

    /// <summary>Sets the time of last modification, nanoseconds since the Unix epoch.</summary>
    public static unsafe void SetModified(string path, long unixNs)
    {
        var (seconds, nanoseconds) = Math.DivRem(unixNs, 1_000_000_000);
        if (nanoseconds < 0)
        {
            (seconds, nanoseconds) = (seconds - 1, nanoseconds + 1_000_000_000);
        }

        // SAFETY: two struct timespec; the first says "leave the time of access".
        var times = stackalloc long[4] { 0, UTIME_OMIT, seconds, nanoseconds };
        Libc.Check(UtimensAt(Libc.AT_FDCWD, path, times, Libc.AT_SYMLINK_NOFOLLOW), "set time of", path);
    }

    /// <summary>Makes a device, pipe or socket file.</summary>
    public static void MakeNode(string path, FileKind kind, int mode, uint major = 0, uint minor = 0)
    {
        // The encoding of makedev(3).
        var device = ((ulong)(major & 0xfffff000) << 32) | ((ulong)(major & 0xfff) << 8) | ((ulong)(minor & 0xffffff00) << 12) | (minor & 0xff);
        Libc.Check(MkNod(path, (uint)kind | (uint)mode, device), "make node", path);
    }

    /// <summary>A second name for a file.</summary>
    public static void HardLink(string existing, string path) => Libc.Check(Link(existing, path), "link", path);

    /// <summary>Renames, refusing (EEXIST) when the target exists.</summary>
    public static void RenameNew(string from, string to) =>
        Libc.Check(RenameAt2(Libc.AT_FDCWD, from, Libc.AT_FDCWD, to, RENAME_NOREPLACE), "rename", to);

    /// <summary>Swaps two existing names in one step.</summary>
    public static void Exchange(string a, string b) => Libc.Check(RenameAt2(Libc.AT_FDCWD, a, Libc.AT_FDCWD, b, RENAME_EXCHANGE), "exchange", b);

    /// <summary>Renames over whatever is there, as rename(2).</summary>
    public static void Rename(string from, string to) => Libc.Check(RenameRaw(from, to), "rename", to);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LChown(string path, uint uid, uint gid);

    [LibraryImport("libc", EntryPoint = "chmod", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChmodRaw(string path, uint mode);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int UtimensAt(int directory, string path, long* times, int flags);

    [LibraryImport("libc", EntryPoint = "mknod", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MkNod(string path, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string path);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameRaw(string from, string to);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt2(int fromDirectory, string from, int toDirectory, string to, uint flags);
}
