using System.Runtime.InteropServices;

namespace Vivarium.Guest.Files;

/// <summary>
/// File calls relative to a directory descriptor, with names as byte strings (one character, one byte: what lies on disk need not be UTF-8). Each
/// returns -1 and leaves the error number for <see cref="Marshal.GetLastPInvokeError"/>. Source: the *at calls in man section 2.
/// </summary>
internal static unsafe partial class At
{
    public const int Cwd = -100;
    public const int ReadOnly = 0;
    public const int WriteOnly = 1;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int Truncate = 0x200;
    public const int NonBlocking = 0x800;
    public const int DirectoryOnly = 0x10000;
    public const int NoFollow = 0x20000;
    public const int CloseOnExec = 0x80000;
    public const int RemoveDirectory = 0x200;
    private const int SymlinkNoFollow = 0x100;
    private const int LongestName = 4096;

    public static int Open(int directory, string name, int flags, int mode = 0)
    {
        // SAFETY: the copy ends with NUL and lives through the call; so in every method here.
        var copy = stackalloc byte[LongestName + 1];
        return Copy(name, copy) ? openat(directory, copy, flags | CloseOnExec, (uint)mode) : -1;
    }

    public static int MakeDirectory(int directory, string name, int mode)
    {
        // SAFETY: see Open.
        var copy = stackalloc byte[LongestName + 1];
        return Copy(name, copy) ? mkdirat(directory, copy, (uint)mode) : -1;
    }

    public static int Unlink(int directory, string name, int flags = 0)
    {
        // SAFETY: see Open.
        var copy = stackalloc byte[LongestName + 1];
        return Copy(name, copy) ? unlinkat(directory, copy, flags) : -1;
    }

    public static int Symlink(string target, int directory, string name)
    {
        // SAFETY: see Open.
        var copy = stackalloc byte[LongestName + 1];
        var targetCopy = stackalloc byte[LongestName + 1];
        return Copy(name, copy) && Copy(target, targetCopy) ? symlinkat(targetCopy, directory, copy) : -1;
    }

    public static int Link(int fromDirectory, string from, int directory, string name)
    {
        // SAFETY: see Open.
        var copy = stackalloc byte[LongestName + 1];
        var fromCopy = stackalloc byte[LongestName + 1];
        return Copy(name, copy) && Copy(from, fromCopy) ? linkat(fromDirectory, fromCopy, directory, copy, 0) : -1;
    }

    public static int MakeNode(int directory, string name, int typeAndMode, uint major, uint minor)
    {
        // SAFETY: see Open.
        var copy = stackalloc byte[LongestName + 1];
        var device = ((ulong)(major & 0xfffff000) << 32) | ((ulong)(major & 0xfff) << 8) | ((ulong)(minor & 0xffffff00) << 12) | (minor & 0xff);
        return Copy(name, copy) ? mknodat(directory, copy, (uint)typeAndMode, device) : -1;
    }

    public static int Chown(int directory, string name, uint uid, uint gid)
    {
        // SAFETY: see Open.
        var copy = stackalloc byte[LongestName + 1];
        return Copy(name, copy) ? fchownat(directory, copy, uid, gid, SymlinkNoFollow) : -1;
    }

    public static int SetModified(int directory, string name, long unixNs)
    {
        // SAFETY: see Open; the times are two struct timespec.
        var copy = stackalloc byte[LongestName + 1];
        var times = stackalloc long[4];
        Times(times, unixNs);
        return Copy(name, copy) ? utimensat(directory, copy, times, SymlinkNoFollow) : -1;
    }

    public static int SetModified(int fd, long unixNs)
    {
        // SAFETY: two struct timespec.
        var times = stackalloc long[4];
        Times(times, unixNs);
        return futimens(fd, times);
    }

    /// <summary>Target of a symbolic link; null when it is none.</summary>
    public static string? ReadLink(int directory, string name)
    {
        // SAFETY: see Open; readlinkat writes at most what it is told.
        var copy = stackalloc byte[LongestName + 1];
        var target = stackalloc byte[LongestName];
        var length = Copy(name, copy) ? readlinkat(directory, copy, target, LongestName) : -1;
        return length < 0 ? null : System.Text.Encoding.Latin1.GetString(target, (int)length);
    }

    public static nint Read(int fd, Span<byte> target)
    {
        // SAFETY: the span is pinned for the call and its length is passed.
        fixed (byte* p = target)
        {
            return read(fd, p, (nuint)target.Length);
        }
    }

    /// <summary>Writes all; false with the error number left.</summary>
    public static bool WriteAll(int fd, ReadOnlySpan<byte> bytes)
    {
        // SAFETY: the span is pinned for the calls and its length is passed.
        fixed (byte* p = bytes)
        {
            for (var at = 0; at < bytes.Length;)
            {
                var count = write(fd, p + at, (nuint)(bytes.Length - at));
                if (count < 0 && Marshal.GetLastPInvokeError() != Linux.Errno.EINTR)
                {
                    return false;
                }

                at += (int)Math.Max(count, 0);
            }
        }

        return true;
    }

    public static nint ReadEntries(int fd, Span<byte> target)
    {
        // SAFETY: the span is pinned for the call and its length is passed.
        fixed (byte* p = target)
        {
            return getdents64(fd, p, (nuint)target.Length);
        }
    }

    public static nint ListAttributes(int fd, Span<byte> target)
    {
        // SAFETY: the span is pinned for the call and its length is passed.
        fixed (byte* p = target)
        {
            return flistxattr(fd, p, (nuint)target.Length);
        }
    }

    public static nint GetAttribute(int fd, string name, Span<byte> target)
    {
        // SAFETY: see Open; the span is pinned for the call and its length is passed.
        var copy = stackalloc byte[LongestName + 1];
        fixed (byte* p = target)
        {
            return Copy(name, copy) ? fgetxattr(fd, copy, p, (nuint)target.Length) : -1;
        }
    }

    public static int SetAttribute(int fd, string name, ReadOnlySpan<byte> value)
    {
        // SAFETY: see Open; the span is pinned for the call and its length is passed.
        var copy = stackalloc byte[LongestName + 1];
        fixed (byte* p = value)
        {
            return Copy(name, copy) ? fsetxattr(fd, copy, p, (nuint)value.Length, 0) : -1;
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    public static partial int close(int fd);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fchmod(int fd, int mode);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fchown(int fd, uint uid, uint gid);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int ftruncate(int fd, long length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial long lseek(int fd, long offset, int whence);

    private static bool Copy(string name, byte* target)
    {
        if (name.Length > LongestName || name.Contains('\0', StringComparison.Ordinal))
        {
            Marshal.SetLastPInvokeError(name.Length > LongestName ? Linux.Errno.ENAMETOOLONG : Linux.Errno.EINVAL);
            return false;
        }

        // SAFETY: the target has room for LongestName and the NUL.
        for (var i = 0; i < name.Length; i++)
        {
            target[i] = (byte)name[i];
        }

        target[name.Length] = 0;
        return true;
    }

    private static void Times(long* times, long unixNs)
    {
        var (seconds, nanoseconds) = Math.DivRem(unixNs, 1_000_000_000);
        const long omit = (1L << 30) - 2;
        // SAFETY: the callers pass four longs.
        (times[0], times[1]) = (0, omit);
        (times[2], times[3]) = nanoseconds < 0 ? (seconds - 1, nanoseconds + 1_000_000_000) : (seconds, nanoseconds);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int openat(int directory, byte* name, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int mkdirat(int directory, byte* name, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unlinkat(int directory, byte* name, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int symlinkat(byte* target, int directory, byte* name);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int linkat(int fromDirectory, byte* from, int directory, byte* name, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int mknodat(int directory, byte* name, uint mode, ulong device);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchownat(int directory, byte* name, uint uid, uint gid, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int utimensat(int directory, byte* name, long* times, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int futimens(int fd, long* times);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint readlinkat(int directory, byte* name, byte* target, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int fd, byte* target, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int fd, byte* bytes, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint getdents64(int fd, byte* target, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint flistxattr(int fd, byte* target, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint fgetxattr(int fd, byte* name, byte* target, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsetxattr(int fd, byte* name, byte* value, nuint size, int flags);
}
