using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Btrfs;

/// <summary>The btrfs ioctls, ioctl(2) and linux/btrfs.h. Requests and structure sizes are those of the 64-bit kernel ABI.</summary>
internal static class BtrfsNative
{
    internal const uint Sync = 0x9408;
    internal const uint SubvolumeCreate = 0x50009418;
    internal const uint SnapshotCreate = 0x50009417;
    internal const uint SnapshotDestroy = 0x5000943f;
    internal const uint GetFlags = 0x80089419;
    internal const uint SetFlags = 0x4008941a;
    internal const uint TreeSearch = 0xc0709411;
    internal const uint InodeLookup = 0xd0009412;
    internal const uint SubvolumeInfo = 0x81f8943c;
    internal const uint SpaceInfo = 0xc0109414;
    internal const uint FileSystemInfo = 0x8400941f;
    internal const uint DeviceInfo = 0xd000941e;
    internal const uint Resize = 0x50009403;
    internal const uint DeviceStats = 0xc4089434;
    internal const uint QuotaControl = 0xc0109428;
    internal const uint Scrub = 0xc400941b;
    internal const uint QuotaRescanWait = 0x942e;
    internal const uint QuotaGroupLimit = 0x8030942b;

    /// <summary>Opens a directory, never through a symbolic link in the last place.</summary>
    internal static SafeFileHandle OpenDirectory(string path) => Libc.Open(path, Libc.O_DIRECTORY | Libc.O_NOFOLLOW);

    /// <summary>One ioctl; returns 0 or the errno. Interrupted calls are repeated: none of these has a partial effect.</summary>
    internal static unsafe int Call(SafeFileHandle fd, uint request, Span<byte> argument)
    {
        while (true)
        {
            int result;

            // SAFETY: the span is pinned for the call; every caller passes a buffer of the size the request encodes.
            fixed (byte* pointer = argument)
            {
                result = Libc.Ioctl(fd, request, pointer);
            }

            if (result >= 0)
            {
                return 0;
            }

            var errno = Marshal.GetLastPInvokeError();
            if (errno != Errno.EINTR)
            {
                return errno;
            }
        }
    }

    /// <summary>As <see cref="Call"/>, but throws.</summary>
    internal static void Do(SafeFileHandle fd, uint request, Span<byte> argument, string operation, string path)
    {
        var errno = Call(fd, request, argument);
        if (errno != 0)
        {
            throw new LinuxException(operation, path, errno);
        }
    }
}
