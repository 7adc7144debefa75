using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Interop;

/// <summary>A connected Unix stream socket with a line reader; blocking unless <see cref="Descriptor"/> is switched.</summary>
internal sealed class UnixConnection : IDisposable
{
    /// <summary>Longest line accepted from a peer.</summary>
    public const int MaxLineBytes = 16 * 1024 * 1024;

    private byte[] _buffer = new byte[16 * 1024];
    private int _start;
    private int _end;
    private int _fd;

    private UnixConnection(int fd) => _fd = fd;

    public int Descriptor => _fd;

    /// <summary>What was received after the last line.</summary>
    public ReadOnlySpan<byte> Received => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Connects; null when nobody listens there (no file, or nobody behind it).</summary>
    public static unsafe UnixConnection? TryConnect(string path)
    {
        var bytes = Encoding.UTF8.GetByteCount(path);
        if (bytes > 107)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"the socket path {path} is longer than 107 bytes", "set paths.runtime to a shorter directory");
        }

        Span<byte> address = stackalloc byte[110];
        address.Clear();
        address[0] = Posix.AfUnix;
        Encoding.UTF8.GetBytes(path, address[2..]);
        var fd = Posix.socket(Posix.AfUnix, Posix.SockStream | Posix.SockCloexec, 0);
        if (fd < 0)
        {
            throw Fd.Failed("socket", -1, Marshal.GetLastPInvokeError());
        }

        for (; ; )
        {
            int result;

            // SAFETY: sockaddr_un of family, path and a NUL; the length counts no more than the buffer.
            fixed (byte* p = address)
            {
                result = Posix.connect(fd, p, 2 + bytes + 1);
            }

            if (result == 0)
            {
                return new UnixConnection(fd);
            }

            var errno = Marshal.GetLastPInvokeError();
            if (errno == Posix.EINTR)
            {
                continue;
            }

            _ = Posix.close(fd);
            return errno switch
            {
                Posix.ENOENT or Posix.ECONNREFUSED => null,
                Posix.EACCES => throw new VivariumException(
                    ErrorCode.PermissionDenied, $"this user may not use the socket {path}", "run viv as root, or add the user to the group 'vivarium' and log in again"),
                _ => throw new VivariumException(ErrorCode.Unavailable, $"connecting to {path} failed: {Marshal.GetPInvokeErrorMessage(errno)}"),
            };
        }
    }

    public void Send(ReadOnlySpan<byte> bytes)
    {
        if (!Fd.WriteAll(_fd, bytes))
        {
            throw Gone();
        }
    }

    /// <summary>One line without its newline, valid until the next read. Null at the end of the stream; an interrupt or a passed deadline throws.</summary>
    public ReadOnlyMemory<byte>? ReadLine(ConnectionWait wait)
    {
        var searched = 0;
        for (; ; )
        {
            var newline = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (newline >= 0)
            {
                var line = _buffer.AsMemory(_start, searched + newline);
                _start += searched + newline + 1;
                return line;
            }

            searched = _end - _start;
            MakeRoom();
            wait.ForInput(_fd);
            var count = Fd.Read(_fd, _buffer.AsSpan(_end));
            if (count == 0)
            {
                return null;
            }

            _end += Math.Max(count, 0);
        }
    }

    /// <summary>Bytes as they come, first what was received with the last line; 0 at the end of the stream.</summary>
    public int Read(Span<byte> target, ConnectionWait wait)
    {
        if (_start < _end)
        {
            var held = Math.Min(target.Length, _end - _start);
            _buffer.AsSpan(_start, held).CopyTo(target);
            _start += held;
            return held;
        }

        for (; ; )
        {
            wait.ForInput(_fd);
            var count = Fd.Read(_fd, target);
            if (count >= 0)
            {
                return count;
            }

            _ = Fd.Wait(_fd, Posix.POLLIN, -1);
        }
    }

    /// <summary>Marks bytes of <see cref="Received"/> as used.</summary>
    public void Consume(int count) => _start += count;

    public void CompleteWrites() => _ = Posix.shutdown(_fd, Posix.ShutWr);

    public void Dispose()
    {
        if (_fd >= 0)
        {
            _ = Posix.close(_fd);
            _fd = -1;
        }
    }

    public static VivariumException Gone() => new(ErrorCode.Unavailable, "the other side ended the connection", "look at 'viv daemon status' and try again");

    private void MakeRoom()
    {
        if (_start == _end)
        {
            _start = _end = 0;
        }

        if (_end < _buffer.Length)
        {
            return;
        }

        if (_start > 0)
        {
            Buffer.BlockCopy(_buffer, _start, _buffer, 0, _end - _start);
            _end -= _start;
            _start = 0;
            return;
        }

        if (_buffer.Length >= MaxLineBytes)
        {
            throw new VivariumException(ErrorCode.ResourceExhausted, "the other side sent a line longer than 16 MiB");
        }

        Array.Resize(ref _buffer, _buffer.Length * 4);
    }
}
