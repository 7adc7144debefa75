using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Transport.Io;

/// <summary>
/// The writing end of a pipe: header and payload leave in one writev(2), straight from the caller's memory. When the pipe is
/// full the caller's thread waits a moment (a reader that keeps up needs microseconds), then waits without a thread.
/// </summary>
internal sealed class PipeSink : IByteSink
{
    /// <summary>How long a full pipe may hold the caller's thread, milliseconds.</summary>
    private const int PatienceMilliseconds = 2;

    private readonly SafeFileHandle _fd;
    private readonly CancellationTokenSource _closed = new();
    private Task _rest = Task.CompletedTask;

    public PipeSink(SafeFileHandle fd)
    {
        _fd = fd;
        Libc.SetNonBlocking(fd);
    }

    public ValueTask WriteAsync(ReadOnlyMemory<byte> first, ReadOnlyMemory<byte> second, CancellationToken cancellationToken)
    {
        if (!_rest.IsCompletedSuccessfully)
            return FinishAsync(first, second, cancellationToken);
        return TryWrite(ref first, ref second, PatienceMilliseconds) ? default : FinishAsync(first, second, cancellationToken);
    }

    public void Dispose()
    {
        _closed.Cancel();
        _fd.Dispose();
    }

    private async ValueTask FinishAsync(ReadOnlyMemory<byte> first, ReadOnlyMemory<byte> second, CancellationToken cancellationToken)
    {
        // An earlier write that was cancelled half-way comes first.
        await _rest.WaitAsync(cancellationToken).ConfigureAwait(false);
        while (!TryWrite(ref first, ref second, 0))
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closed.Token);
            try
            {
                await FdWriteWaiter.Shared.WaitAsync(_fd, either.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!_closed.IsCancellationRequested)
            {
                _rest = KeepAsync(first, second);
                throw;
            }
            catch (OperationCanceledException)
            {
                throw new IOException("write to the pipe: it was closed");
            }
        }
    }

    private async Task KeepAsync(ReadOnlyMemory<byte> first, ReadOnlyMemory<byte> second)
    {
        var length = first.Length + second.Length;
        var copy = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            first.CopyTo(copy);
            second.CopyTo(copy.AsMemory(first.Length));
            ReadOnlyMemory<byte> rest = copy.AsMemory(0, length), none = default;
            while (!TryWrite(ref rest, ref none, 0))
            {
                // Only closing the pipe ends this wait: the peer is in the middle of the frame.
                await FdWriteWaiter.Shared.WaitAsync(_fd, _closed.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(copy);
        }
    }

    /// <summary>Writes what fits; the parts shrink to what is left. True when nothing is.</summary>
    private bool TryWrite(ref ReadOnlyMemory<byte> first, ref ReadOnlyMemory<byte> second, int patienceMilliseconds)
    {
        while (first.Length + second.Length > 0)
        {
            var written = WriteOnce(first.Span, second.Span);
            if (written >= 0)
            {
                var fromFirst = (int)Math.Min(written, first.Length);
                first = first[fromFirst..];
                second = second[((int)written - fromFirst)..];
                continue;
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Libc.EINTR:
                    break;
                case Libc.EAGAIN when patienceMilliseconds > 0 && WaitWritable(patienceMilliseconds):
                    break;
                case Libc.EAGAIN:
                    return false;
                default:
                    throw Libc.Error("write to the pipe");
            }
        }

        return true;
    }

    private unsafe nint WriteOnce(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        // SAFETY: both spans are pinned for the call; the vectors hold exactly their lengths.
        fixed (byte* firstStart = first, secondStart = second)
        {
            var vectors = stackalloc Libc.IoVector[2];
            vectors[0] = new Libc.IoVector { Base = firstStart, Length = (nuint)first.Length };
            vectors[1] = new Libc.IoVector { Base = secondStart, Length = (nuint)second.Length };
            return Libc.writev(_fd, vectors, 2);
        }
    }

    private unsafe bool WaitWritable(int milliseconds)
    {
        var held = false;
        try
        {
            _fd.DangerousAddRef(ref held);

            // SAFETY: one entry on this stack; the descriptor is referenced until the call returns.
            var entry = new Libc.PollEntry { Fd = (int)_fd.DangerousGetHandle(), Events = Libc.POLLOUT };
            return Libc.poll(&entry, 1, milliseconds) > 0;
        }
        finally
        {
            if (held)
                _fd.DangerousRelease();
        }
    }
}
