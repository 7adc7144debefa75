using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Linux;

namespace Vivarium.Guest.Init;

/// <summary>What an init does to its machine: host name, loopback, clock, random numbers, mounts. Sources: sethostname(2), netdevice(7), clock_settime(2), random(4), mount(2), umount(2).</summary>
internal static unsafe partial class SystemCalls
{
    /// <summary>Mount flag: read-only.</summary>
    public const nuint MS_RDONLY = 1;

    private const int AF_INET = 2;
    private const int SOCK_DGRAM = 2;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int CLOCK_REALTIME = 0;
    private const nuint SIOCGIFFLAGS = 0x8913;
    private const nuint SIOCSIFFLAGS = 0x8914;
    private const short IFF_UP = 1;

    /// <summary>Sets the host name of this UTS namespace.</summary>
    public static void SetHostname(string name)
    {
        var bytes = Encoding.UTF8.GetBytes(name);

        // SAFETY: the array is pinned for the call and its length is passed.
        fixed (byte* start = bytes)
        {
            Check(SetHostName(start, (nuint)bytes.Length), "set the host name", name);
        }
    }

    /// <summary>Brings the interface <c>lo</c> up.</summary>
    public static void RaiseLoopback()
    {
        var socket = Socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        Check(socket, "open a socket", null);
        try
        {
            var request = new InterfaceRequest();
            "lo"u8.CopyTo(new Span<byte>(request.Name, 16));

            // SAFETY: struct ifreq is 40 bytes on 64-bit Linux and so is ours; it lives on this frame.
            Check(Io.Libc.Ioctl(socket, SIOCGIFFLAGS, &request), "read the state of", "lo");
            if ((request.Flags & IFF_UP) == 0)
            {
                request.Flags |= IFF_UP;
                Check(Io.Libc.Ioctl(socket, SIOCSIFFLAGS, &request), "bring up", "lo");
            }
        }
        finally
        {
            _ = Io.Libc.Close(socket);
        }
    }

    /// <summary>Steps the clock.</summary>
    public static void SetClock(long unixMs)
    {
        var time = new TimeSpec { Seconds = unixMs / 1000, Nanoseconds = unixMs % 1000 * 1_000_000 };

        // SAFETY: the kernel reads one struct timespec from a local.
        Check(ClockSetTime(CLOCK_REALTIME, &time), "step the clock", null);
    }

    /// <summary>Mounts.</summary>
    public static void Mount(string source, string target, string type, nuint flags, string? options) =>
        Check(MountCall(source, target, type, flags, options), "mount", target);

    /// <summary>Unmounts; false when it is busy or not mounted.</summary>
    public static bool TryUnmount(string target) => Unmount(target, 0) == 0;

    /// <summary>Changes the owner of the file itself, not of what a link points to.</summary>
    public static void ChangeOwner(string path, uint uid, uint gid) => Check(LinkChown(path, uid, gid), "change the owner of", path);

    /// <summary>Whether a path is on tmpfs or ramfs, memory that is never written to a disk file. Source: statfs(2).</summary>
    public static bool IsInMemory(string path)
    {
        const long Tmpfs = 0x01021994;
        const long Ramfs = 0x858458F6;
        var buffer = stackalloc long[32];

        // SAFETY: struct statfs is 120 bytes on 64-bit Linux, less than the 256 given; its first member is the type.
        Check(StatFs(path, buffer), "look at the file system of", path);
        return buffer[0] is Tmpfs or Ramfs;
    }

    private static void Check(int result, string operation, string? path)
    {
        if (result < 0)
        {
            throw new LinuxException(operation, path, Marshal.GetLastPInvokeError());
        }
    }

    [LibraryImport("libc", EntryPoint = "sethostname", SetLastError = true)]
    private static partial int SetHostName(byte* name, nuint length);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "clock_settime", SetLastError = true)]
    private static partial int ClockSetTime(int clock, TimeSpec* time);

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MountCall(string source, string target, string type, nuint flags, string? data);

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Unmount(string target, int flags);

    [LibraryImport("libc", EntryPoint = "statfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatFs(string path, long* result);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkChown(string path, uint uid, uint gid);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [StructLayout(LayoutKind.Explicit, Size = 40)]
    private struct InterfaceRequest
    {
        [FieldOffset(0)]
        public fixed byte Name[16];

        [FieldOffset(16)]
        public short Flags;
    }
}
