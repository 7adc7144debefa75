using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Files;

/// <summary>Copies that share their data until one side changes it. Source: FICLONE in ioctl_ficlone(2).</summary>
public static class Reflink
{
    private const nuint FICLONE = 0x40049409;

    /// <summary>Makes <paramref name="target"/> share all of <paramref name="source"/>'s data; false where the file system cannot (then nothing changed).</summary>
    public static bool TryClone(SafeFileHandle source, SafeFileHandle target)
    {
        if (Libc.Ioctl(target, FICLONE, source.DangerousGetHandle()) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() is Errno.EOPNOTSUPP or Errno.EXDEV or Errno.EINVAL or Errno.ENOTTY or Errno.ENOSYS
            ? false
            : throw LinuxException.Last("clone file data", null);
    }

    /// <summary>Makes a new file at <paramref name="target"/> that shares <paramref name="source"/>'s data, or copies it where that cannot be.</summary>
    public static void CloneOrCopy(string source, string target)
    {
        using (var from = Libc.Open(source, Libc.O_RDONLY))
        using (var to = Libc.Open(target, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_EXCL, (uint)FileStatus.Of(from).Mode))
        {
            if (TryClone(from, to))
            {
                return;
            }
        }

        File.Copy(source, target, overwrite: true);
    }
}
