using System.Runtime.InteropServices;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Interop;

/// <summary>Reads and writes of whole buffers on a descriptor; EINTR is tried again.</summary>
internal static class Fd
{
    /// <summary>Bytes read, 0 at the end, -1 when a non-blocking descriptor has nothing now.</summary>
    public static unsafe int Read(int fd, Span<byte> buffer)
    {
        for (; ; )
        {
            nint count;

            // SAFETY: the span is pinned for the call and its length bounds the write.
            fixed (byte* p = buffer)
            {
                count = Posix.read(fd, p, (nuint)buffer.Length);
            }

            if (count >= 0)
            {
                return (int)count;
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Posix.EINTR:
                    continue;
                case Posix.EAGAIN:
                    return -1;
                case 5 or 104: // EIO: the terminal is gone; ECONNRESET: so is the peer.
                    return 0;
                case var errno:
                    throw Failed("read", fd, errno);
            }
        }
    }

    /// <summary>Bytes written, possibly fewer than given; -1 when a non-blocking descriptor takes nothing now; -2 when the reader is gone.</summary>
    public static unsafe int Write(int fd, ReadOnlySpan<byte> buffer)
    {
        for (; ; )
        {
            nint count;

            // SAFETY: the span is pinned for the call and its length bounds the read.
            fixed (byte* p = buffer)
            {
                count = Posix.write(fd, p, (nuint)buffer.Length);
            }

            if (count >= 0)
            {
                return (int)count;
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Posix.EINTR:
                    continue;
                case Posix.EAGAIN:
                    return -1;
                case Posix.EPIPE or 104 or 5:
                    return -2;
                case var errno:
                    throw Failed("write", fd, errno);
            }
        }
    }

    /// <summary>Writes all of it, waiting where the descriptor does not block; false when the reader is gone.</summary>
    public static bool WriteAll(int fd, ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            var count = Write(fd, buffer);
            if (count == -2)
            {
                return false;
            }

            if (count == -1)
            {
                Wait(fd, Posix.POLLOUT, -1);
                continue;
            }

            buffer = buffer[count..];
        }

        return true;
    }

    /// <summary>Waits until the descriptor is ready; false after the time is up. -1 waits for ever.</summary>
    public static unsafe bool Wait(int fd, short events, int timeoutMs)
    {
        for (; ; )
        {
            var entry = new Posix.PollFd { Fd = fd, Events = events };

            // SAFETY: one entry on the stack, count 1.
            var ready = Posix.poll(&entry, 1, timeoutMs);
            if (ready >= 0)
            {
                return ready > 0;
            }

            if (Marshal.GetLastPInvokeError() != Posix.EINTR)
            {
                throw Failed("poll", fd, Marshal.GetLastPInvokeError());
            }
        }
    }

    public static bool IsTerminal(int fd) => Posix.isatty(fd) == 1;

    public static void SetNonBlocking(int fd, bool on)
    {
        var flags = Posix.fcntl(fd, Posix.FGetFl, 0);
        _ = Posix.fcntl(fd, Posix.FSetFl, on ? flags | Posix.ONonblock : flags & ~Posix.ONonblock);
    }

    /// <summary>Asks for a larger buffer where the descriptor is a pipe; a refusal (no pipe, not allowed) changes nothing.</summary>
    public static void TryEnlargePipe(int fd, int bytes) => _ = Posix.fcntl(fd, Posix.FSetPipeSize, bytes);

    public static VivariumException Failed(string call, int fd, int errno) =>
        new(ErrorCode.Internal, $"{call} on descriptor {fd} failed: {Marshal.GetPInvokeErrorMessage(errno)}");
}
