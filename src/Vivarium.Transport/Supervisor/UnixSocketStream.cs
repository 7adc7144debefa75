using System.Net.Sockets;
using Vivarium.Wire.Errors;

namespace Vivarium.Transport.Supervisor;

/// <summary>A connected stream socket, Unix or TCP; half-close is shutdown(2).</summary>
public sealed class UnixSocketStream : DuplexStream
{
    /// <summary>
    /// Send buffer asked for, in bytes; the kernel doubles it. Large enough for two pieces of 256 KiB under way, so that the writer does not
    /// wait for each; measured: more than that only costs cache.
    /// </summary>
    private const int SendBuffer = 400 * 1024;

    private const int SOL_SOCKET = 1;
    private const int SO_SNDBUFFORCE = 32;

    /// <summary>Longest path of a Unix socket, without the terminating zero (sun_path of unix(7)).</summary>
    private const int MaxPath = 107;

    /// <summary>Attempts against a full queue, with pauses of 1, 2, 3 … 20 ms between them: about five seconds in all.</summary>
    private const int MaxAttempts = 260;

    private const int LongestPause = 20;

    private readonly Socket _socket;
    private int _completed;

    /// <summary>Takes over a connected socket.</summary>
    public UnixSocketStream(Socket socket)
        : this(socket, SendBuffer)
    {
    }

    /// <summary>Takes over a connected socket whose unsent bytes are bounded to about twice <paramref name="sendBufferBytes"/>.</summary>
    public UnixSocketStream(Socket socket, int sendBufferBytes)
    {
        _socket = socket;
        SetSendBuffer(socket, sendBufferBytes);
    }

    /// <summary>The socket underneath, for peer credentials and the like.</summary>
    public Socket Socket => _socket;

    /// <summary>Connects.</summary>
    /// <param name="path">Path of the socket, at most 107 bytes.</param>
    /// <param name="what">Whom the user wanted to reach, for the error: <c>the daemon</c>, <c>the sandbox's supervisor</c>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VivariumException">unavailable: nobody listens there; permission_denied; invalid_argument: the path is too long.</exception>
    public static async ValueTask<UnixSocketStream> ConnectAsync(string path, string what, CancellationToken cancellationToken)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(path) > MaxPath)
            throw new VivariumException(ErrorCode.InvalidArgument, $"cannot connect to {what}: the socket path {path} is longer than {MaxPath} bytes", reason: "path_too_long");
        var endPoint = new UnixDomainSocketEndPoint(path);
        for (var attempt = 1; ; attempt++)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(endPoint, cancellationToken).ConfigureAwait(false);
                return new UnixSocketStream(socket);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.TryAgain && attempt < MaxAttempts)
            {
                // The listener's queue is full: a burst. connect(2) of a non-blocking Unix socket says so instead of waiting.
                socket.Dispose();
            }
            catch (SocketException e)
            {
                socket.Dispose();
                throw Refused(path, what, e);
            }
            catch
            {
                socket.Dispose();
                throw;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(attempt, LongestPause)), TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await _socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken).ConfigureAwait(false);
        }
        catch (SocketException e)
        {
            throw new IOException($"read from the socket: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                var sent = await _socket.SendAsync(buffer, SocketFlags.None, cancellationToken).ConfigureAwait(false);
                buffer = buffer[sent..];
            }
        }
        catch (SocketException e)
        {
            throw new IOException($"write to the socket: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _completed, 1) == 0)
        {
            try
            {
                _socket.Shutdown(SocketShutdown.Send);
            }
            catch (SocketException)
            {
                // The peer is gone already; reading will say so.
            }
            catch (ObjectDisposedException)
            {
                // So are we.
            }
        }

        return default;
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        _socket.Dispose();
        GC.SuppressFinalize(this);
        return default;
    }

    private static void SetSendBuffer(Socket socket, int bytes)
    {
        try
        {
            try
            {
                // Beyond net.core.wmem_max, which a privileged process may; see socket(7).
                socket.SetRawSocketOption(SOL_SOCKET, SO_SNDBUFFORCE, BitConverter.GetBytes(bytes));
            }
            catch (SocketException)
            {
                socket.SendBufferSize = bytes;
            }
        }
        catch (SocketException)
        {
            // It works with the default as well, only slower.
        }
    }

    private static VivariumException Refused(string path, string what, SocketException e) => e.SocketErrorCode switch
    {
        SocketError.AccessDenied => new VivariumException(
            ErrorCode.PermissionDenied, $"cannot connect to {what}: no permission for {path}", "Join the group that owns the socket, or run as root.", "socket_permission", e),
        SocketError.ConnectionRefused or SocketError.AddressNotAvailable or SocketError.HostNotFound => new VivariumException(
            ErrorCode.Unavailable, $"cannot connect to {what}: nobody listens on {path}", reason: "not_listening", inner: e),
        _ => new VivariumException(ErrorCode.Unavailable, $"cannot connect to {what} on {path}: {e.Message}", reason: "connect_failed", inner: e),
    };
}
