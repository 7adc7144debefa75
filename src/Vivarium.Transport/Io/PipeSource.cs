using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Transport.Io;

/// <summary>
/// The reading end of a pipe (or any descriptor that can be polled), read by one dedicated thread. The descriptor is
/// non-blocking and the thread sleeps in poll(2), so that <see cref="Interrupt"/> can wake it; it closes both descriptors
/// itself afterwards, never under a running call.
/// </summary>
internal sealed unsafe class PipeSource : IByteSource
{
    private readonly SafeFileHandle _fd;
    private readonly SafeFileHandle _wake;
    private volatile bool _interrupted;

    public PipeSource(SafeFileHandle fd)
    {
        _fd = fd;
        Libc.SetNonBlocking(fd);
        _wake = Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK);
        if (_wake.IsInvalid)
            throw Libc.Error("eventfd");
    }

    public bool Blocks => true;

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => new(Read(buffer.Span));

    public void Interrupt()
    {
        _interrupted = true;
        var one = 1L;
        try
        {
            // SAFETY: eight bytes of a local.
            _ = Libc.write(_wake, (byte*)&one, sizeof(long));
        }
        catch (ObjectDisposedException)
        {
            // The reading side has ended by itself.
        }
    }

    public void Dispose()
    {
        _fd.Dispose();
        _wake.Dispose();
    }

    private int Read(Span<byte> buffer)
    {
        while (!_interrupted)
        {
            nint read;

            // SAFETY: the span is pinned for the call and the count is its length.
            fixed (byte* start = buffer)
                read = Libc.read(_fd, start, (nuint)buffer.Length);

            if (read >= 0)
                return (int)read;

            switch (Marshal.GetLastPInvokeError())
            {
                case Libc.EINTR:
                    break;
                case Libc.EAGAIN:
                    Wait();
                    break;
                default:
                    throw Libc.Error("read from the pipe");
            }
        }

        return 0;
    }

    private void Wait()
    {
        var held = false;
        var wakeHeld = false;
        try
        {
            _fd.DangerousAddRef(ref held);
            _wake.DangerousAddRef(ref wakeHeld);
            var entries = stackalloc Libc.PollEntry[2];
            entries[0] = new Libc.PollEntry { Fd = (int)_fd.DangerousGetHandle(), Events = Libc.POLLIN };
            entries[1] = new Libc.PollEntry { Fd = (int)_wake.DangerousGetHandle(), Events = Libc.POLLIN };

            // SAFETY: two entries on this stack; both descriptors are referenced until the call returns.
            if (Libc.poll(entries, 2, -1) < 0 && Marshal.GetLastPInvokeError() != Libc.EINTR)
                throw Libc.Error("poll the pipe");
        }
        finally
        {
            if (held)
                _fd.DangerousRelease();
            if (wakeHeld)
                _wake.DangerousRelease();
        }
    }
}
