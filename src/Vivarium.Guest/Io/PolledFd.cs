using System.Runtime.InteropServices;
using Vivarium.Linux;

namespace Vivarium.Guest.Io;

/// <summary>
/// A non-blocking descriptor on the <see cref="FdPoller"/>. Use: try the call, and on <see cref="WouldBlock"/> wait and try
/// again; a wait may also end for nothing. One reader and one writer at a time.
/// </summary>
internal sealed class PolledFd : IDisposable
{
    /// <summary>Returned by <see cref="TryRead"/> and <see cref="TryWrite"/> when the descriptor is not ready.</summary>
    public const int WouldBlock = -1;

    /// <summary>Returned when the other side is gone (EPIPE, EIO of a terminal whose last slave closed) or the descriptor is closed.</summary>
    public const int Gone = -2;

    private readonly Lock _gate = new();
    private readonly AsyncSignal _readable = new();
    private readonly AsyncSignal _writable = new();
    private readonly ulong _key;
    private bool _known;
    private uint _awaited;
    private int _fd;

    /// <summary>Takes over a descriptor and makes it non-blocking.</summary>
    public PolledFd(int fd)
    {
        _fd = fd;
        var flags = Libc.Fcntl(fd, Libc.F_GETFL, 0);
        _ = Libc.Fcntl(fd, Libc.F_SETFL, flags | Libc.O_NONBLOCK);
        _key = FdPoller.Shared.Register(this);
    }

    /// <summary>Completes when there may be something to read, the other side hung up, or someone called <see cref="Wake"/>.</summary>
    public ValueTask WaitReadableAsync()
    {
        Arm(Libc.EPOLLIN);
        return _readable.WaitAsync();
    }

    /// <summary>Completes when there may be room to write, the other side hung up, or someone called <see cref="Wake"/>.</summary>
    public ValueTask WaitWritableAsync()
    {
        Arm(Libc.EPOLLOUT);
        return _writable.WaitAsync();
    }

    /// <summary>Makes both waiters look again.</summary>
    public void Wake()
    {
        _readable.Set();
        _writable.Set();
    }

    /// <summary>One read(2): bytes read, 0 at the end, or <see cref="WouldBlock"/> or <see cref="Gone"/>.</summary>
    public unsafe int TryRead(Span<byte> buffer)
    {
        lock (_gate)
        {
            // SAFETY: the span is pinned for the call and its length is passed; the gate keeps the descriptor open during it (it cannot block).
            fixed (byte* start = buffer)
            {
                while (_fd >= 0)
                {
                    var count = Libc.Read(_fd, start, (nuint)buffer.Length);
                    if (count >= 0)
                    {
                        return (int)count;
                    }

                    var errno = Marshal.GetLastPInvokeError();
                    if (errno != Errno.EINTR)
                    {
                        return errno == Errno.EAGAIN ? WouldBlock : Gone;
                    }
                }
            }
        }

        return Gone;
    }

    /// <summary>One write(2): bytes written, or <see cref="WouldBlock"/> or <see cref="Gone"/>.</summary>
    public unsafe int TryWrite(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            // SAFETY: as in TryRead.
            fixed (byte* start = bytes)
            {
                while (_fd >= 0)
                {
                    var count = Libc.Write(_fd, start, (nuint)bytes.Length);
                    if (count >= 0)
                    {
                        return (int)count;
                    }

                    var errno = Marshal.GetLastPInvokeError();
                    if (errno != Errno.EINTR)
                    {
                        return errno == Errno.EAGAIN ? WouldBlock : Gone;
                    }
                }
            }
        }

        return Gone;
    }

    /// <summary>Writes everything, waiting for room as needed. False when the other side is gone.</summary>
    public async ValueTask<bool> WriteAllAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var count = TryWrite(bytes.Span);
            if (count == WouldBlock)
            {
                await WaitWritableAsync();
            }
            else if (count < 0)
            {
                return false;
            }
            else
            {
                bytes = bytes[count..];
            }
        }

        return true;
    }

    /// <summary>Bytes waiting to be read (FIONREAD), or -1 where the kernel does not say.</summary>
    public unsafe int Available()
    {
        var count = 0;
        lock (_gate)
        {
            // SAFETY: FIONREAD writes one int to the address given.
            return _fd >= 0 && Libc.Ioctl(_fd, Libc.FIONREAD, &count) == 0 ? count : -1;
        }
    }

    /// <summary>Enlarges a pipe as far as the kernel lets us; a refusal changes nothing.</summary>
    public void EnlargePipe(int bytes)
    {
        lock (_gate)
        {
            if (_fd >= 0)
            {
                _ = Libc.Fcntl(_fd, Libc.F_SETPIPE_SZ, bytes);
            }
        }
    }

    /// <summary>Runs a short, non-blocking call on the descriptor while it is certainly open; does nothing after the end.</summary>
    public void Use(Action<int> call)
    {
        lock (_gate)
        {
            if (_fd >= 0)
            {
                call(_fd);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_fd < 0)
            {
                return;
            }

            FdPoller.Shared.Unregister(_key);
            _ = Libc.Close(_fd);
            _fd = -1;
        }

        Wake();
    }

    /// <summary>Called by the poller's thread.</summary>
    internal void OnEvents(uint events)
    {
        const uint Ended = Libc.EPOLLERR | Libc.EPOLLHUP;
        uint left;
        lock (_gate)
        {
            var reported = (events & Ended) != 0 ? _awaited : _awaited & events;
            left = _awaited &= ~reported;
            if (left != 0 && _fd >= 0)
            {
                // One report was asked for and has come; the other direction still waits.
                FdPoller.Shared.Arm(_fd, _key, left, first: false);
            }
        }

        if ((events & (Libc.EPOLLIN | Ended)) != 0)
        {
            _readable.Set();
        }

        if ((events & (Libc.EPOLLOUT | Ended)) != 0)
        {
            _writable.Set();
        }
    }

    private void Arm(uint direction)
    {
        var ready = false;
        lock (_gate)
        {
            if (_fd < 0)
            {
                ready = true;
            }
            else
            {
                _awaited |= direction;
                ready = !FdPoller.Shared.Arm(_fd, _key, _awaited, !_known);
                _known = true;
            }
        }

        if (ready)
        {
            Wake();
        }
    }
}
