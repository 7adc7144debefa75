using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Trees;

/// <summary>Makes and changes entries of an open directory. Every name ends with NUL and is one step: nothing here follows a link or leaves the directory.</summary>
public static unsafe class TreeMaking
{
    private const uint FifoType = 0x1000;

    /// <summary>mkdirat(2).</summary>
    public static void MakeDirectory(this TreeDirectory directory, byte[] name, uint mode)
    {
        // SAFETY: pinned, ends with NUL; the directory is open for the call.
        fixed (byte* pointer = name)
        {
            Check(directory, name, "make directory", TreeNative.MakeDirectoryAt(Fd(directory), pointer, mode));
        }
    }

    /// <summary>mkfifoat(3).</summary>
    public static void MakeFifo(this TreeDirectory directory, byte[] name)
    {
        // SAFETY: pinned, ends with NUL.
        fixed (byte* pointer = name)
        {
            Check(directory, name, "make pipe", TreeNative.MakeNodeAt(Fd(directory), pointer, FifoType | 0x180 /* 0600 */, 0));
        }
    }

    /// <summary>symlinkat(2); the target is without NUL.</summary>
    public static void MakeLink(this TreeDirectory directory, byte[] name, byte[] target)
    {
        // SAFETY: both are pinned and end with NUL.
        fixed (byte* pointer = name, targetPointer = (byte[])[.. target, 0])
        {
            Check(directory, name, "make link", TreeNative.SymlinkAt(targetPointer, Fd(directory), pointer));
        }
    }

    /// <summary>linkat(2): a further name of <paramref name="oldName"/> in <paramref name="holder"/>; of a symbolic link itself.</summary>
    public static void MakeHardLink(this TreeDirectory directory, byte[] name, TreeDirectory holder, byte[] oldName)
    {
        // SAFETY: both are pinned and end with NUL.
        fixed (byte* pointer = name, oldPointer = oldName)
        {
            Check(directory, name, "make hard link", TreeNative.LinkAt(Fd(holder), oldPointer, Fd(directory), pointer, 0));
        }
    }

    /// <summary>fchownat(2). Clears set-user-id and capabilities: set those afterwards.</summary>
    public static void SetOwner(this TreeDirectory directory, byte[] name, uint uid, uint gid)
    {
        // SAFETY: pinned, ends with NUL.
        fixed (byte* pointer = name)
        {
            Check(directory, name, "set owner of", TreeNative.ChownAt(Fd(directory), pointer, uid, gid, Libc.AT_SYMLINK_NOFOLLOW));
        }
    }

    /// <summary>fchmodat(2); not for symbolic links.</summary>
    public static void SetMode(this TreeDirectory directory, byte[] name, uint mode)
    {
        // SAFETY: pinned, ends with NUL.
        fixed (byte* pointer = name)
        {
            Check(directory, name, "set mode of", TreeNative.ChmodAt(Fd(directory), pointer, mode, 0));
        }
    }

    /// <summary>utimensat(2): both times, nanoseconds since the epoch.</summary>
    public static void SetTime(this TreeDirectory directory, byte[] name, long unixNs)
    {
        var (seconds, nanoseconds) = Math.DivRem(unixNs, 1_000_000_000);
        if (nanoseconds < 0)
        {
            (seconds, nanoseconds) = (seconds - 1, nanoseconds + 1_000_000_000);
        }

        var time = new TreeNative.Timespec { Seconds = seconds, Nanoseconds = nanoseconds };
        Span<TreeNative.Timespec> times = [time, time];

        // SAFETY: both are pinned; the name ends with NUL.
        fixed (byte* pointer = name)
        fixed (TreeNative.Timespec* timesPointer = times)
        {
            Check(directory, name, "set times of", TreeNative.SetTimesAt(Fd(directory), pointer, timesPointer, Libc.AT_SYMLINK_NOFOLLOW));
        }
    }

    /// <summary>lsetxattr(2); the attribute's name ends with NUL.</summary>
    public static void SetAttribute(this TreeDirectory directory, byte[] name, byte[] attribute, byte[] value)
    {
        // SAFETY: everything is pinned, path and attribute end with NUL, the length is that of the value.
        fixed (byte* path = directory.ProcPath(name), attributePointer = attribute, valuePointer = value)
        {
            Check(directory, name, "set attribute of", TreeNative.SetAttribute(path, attributePointer, valuePointer, (nuint)value.Length, 0));
        }
    }

    /// <summary>lremovexattr(2).</summary>
    public static void RemoveAttribute(this TreeDirectory directory, byte[] name, byte[] attribute)
    {
        // SAFETY: both are pinned and end with NUL.
        fixed (byte* path = directory.ProcPath(name), attributePointer = attribute)
        {
            Check(directory, name, "remove attribute of", TreeNative.RemoveAttribute(path, attributePointer));
        }
    }

    /// <summary>ftruncate(2): gives a file its length, the end a hole.</summary>
    public static void SetLength(SafeFileHandle file, long length, string pathForErrors)
    {
        if (TreeNative.Truncate((int)file.DangerousGetHandle(), length) != 0)
        {
            throw LinuxException.Last("write", pathForErrors);
        }
    }

    private static int Fd(TreeDirectory directory) => (int)directory.Handle.DangerousGetHandle();

    private static void Check(TreeDirectory directory, ReadOnlySpan<byte> name, string operation, int result)
    {
        if (result != 0)
        {
            throw LinuxException.Last(operation, $"{directory.Path}/{TreeDirectory.Text(name)}");
        }
    }
}
