using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Transport.Io;

/// <summary>The system calls a pipe transport needs: read(2), writev(2), poll(2), fcntl(2), eventfd(2), epoll(7).</summary>
internal static unsafe partial class Libc
{
    internal const int EINTR = 4;
    internal const int EAGAIN = 11;
    internal const int EPIPE = 32;

    internal const int F_GETFL = 3;
    internal const int F_SETFL = 4;
    internal const int F_SETPIPE_SZ = 1031;
    internal const int O_NONBLOCK = 0x800;

    internal const short POLLIN = 0x1;
    internal const short POLLOUT = 0x4;

    internal const int EFD_CLOEXEC = 0x80000;
    internal const int EFD_NONBLOCK = 0x800;

    internal const int EPOLL_CLOEXEC = 0x80000;
    internal const int EPOLL_CTL_ADD = 1;
    internal const int EPOLL_CTL_DEL = 2;
    internal const int EPOLL_CTL_MOD = 3;
    internal const uint EPOLLOUT = 0x4;
    internal const uint EPOLLONESHOT = 1u << 30;

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint read(SafeHandle fd, byte* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint writev(SafeHandle fd, IoVector* vectors, int count);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint write(SafeHandle fd, byte* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int poll(PollEntry* entries, nuint count, int timeoutMilliseconds);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fcntl(SafeHandle fd, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial SafeFileHandle eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial SafeFileHandle epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int epoll_ctl(SafeHandle epoll, int operation, int fd, EpollEvent* entry);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int epoll_wait(SafeHandle epoll, EpollEvent* entries, int max, int timeoutMilliseconds);

    /// <summary>Makes one end of a pipe non-blocking; the other end is another open file description and keeps its own mode.</summary>
    internal static void SetNonBlocking(SafeHandle fd)
    {
        var flags = fcntl(fd, F_GETFL, 0);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
            throw Error("make a descriptor non-blocking");
    }

    /// <summary>An <see cref="IOException"/> for the errno of the call just made.</summary>
    internal static IOException Error(string operation)
    {
        var errno = Marshal.GetLastPInvokeError();
        return new IOException($"{operation}: {Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})", errno);
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct IoVector
    {
        public byte* Base;
        public nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct PollEntry
    {
        public int Fd;
        public short Events;
        public short Returned;
    }

    /// <summary>Packed on x86-64 only, where the kernel keeps the 32-bit layout.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal struct EpollEvent
    {
        public uint Events;
        public long Data;
    }
}
