using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Files;

/// <summary>Extended attributes of a file, of a symbolic link itself never its target. Source: xattr(7).</summary>
public static partial class Xattrs
{
    /// <summary>Largest value the kernel allows, bytes.</summary>
    public const int MaxValueBytes = 64 * 1024;

    /// <summary>Names, for example <c>user.origin</c>; empty where the file system has none.</summary>
    public static unsafe IReadOnlyList<string> List(string path)
    {
        while (true)
        {
            var needed = LListXattr(path, null, 0);
            if (needed < 0 && Marshal.GetLastPInvokeError() is Errno.EOPNOTSUPP or Errno.ENOSYS)
            {
                return [];
            }

            Libc.Check((int)needed, "list attributes of", path);
            if (needed == 0)
            {
                return [];
            }

            var names = new byte[needed];
            nint got;
            // SAFETY: the array is pinned for the call and its length is passed.
            fixed (byte* p = names)
            {
                got = LListXattr(path, p, (nuint)names.Length);
            }

            if (got < 0 && Marshal.GetLastPInvokeError() == Errno.ERANGE)
            {
                continue; // one was added in between
            }

            Libc.Check((int)got, "list attributes of", path);
            return Encoding.UTF8.GetString(names, 0, (int)got).Split('\0', StringSplitOptions.RemoveEmptyEntries);
        }
    }

    /// <summary>Value of an attribute; null when it is not there.</summary>
    public static unsafe byte[]? Get(string path, string name)
    {
        while (true)
        {
            var needed = LGetXattr(path, name, null, 0);
            if (needed < 0 && Marshal.GetLastPInvokeError() is Errno.ENODATA or Errno.EOPNOTSUPP)
            {
                return null;
            }

            Libc.Check((int)needed, "get attribute of", path);
            var value = new byte[needed];
            nint got;
            // SAFETY: the array is pinned for the call and its length is passed; an empty array pins to null with length 0, which only asks for the size.
            fixed (byte* p = value)
            {
                got = LGetXattr(path, name, p, (nuint)value.Length);
            }

            if (got < 0 && Marshal.GetLastPInvokeError() == Errno.ERANGE)
            {
                continue;
            }

            Libc.Check((int)got, "get attribute of", path);
            return got == value.Length ? value : value[..Math.Min((int)got, value.Length)];
        }
    }

    /// <summary>Sets or replaces an attribute.</summary>
    public static unsafe void Set(string path, string name, ReadOnlySpan<byte> value)
    {
        // SAFETY: the span is pinned for the call and its length is passed.
        fixed (byte* p = value)
        {
            Libc.Check(LSetXattr(path, name, p, (nuint)value.Length, 0), $"set attribute {name} of", path);
        }
    }

    /// <summary>Removes an attribute; false when it was not there.</summary>
    public static bool Remove(string path, string name)
    {
        if (LRemoveXattr(path, name) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() == Errno.ENODATA ? false : throw LinuxException.Last($"remove attribute {name} of", path);
    }

    [LibraryImport("libc", EntryPoint = "llistxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial nint LListXattr(string path, byte* list, nuint size);

    [LibraryImport("libc", EntryPoint = "lgetxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial nint LGetXattr(string path, string name, byte* value, nuint size);

    [LibraryImport("libc", EntryPoint = "lsetxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int LSetXattr(string path, string name, byte* value, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "lremovexattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LRemoveXattr(string path, string name);
}
