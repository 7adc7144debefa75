using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Vivarium.Guest.Forward;
using Vivarium.Guest.Init;
using Vivarium.Guest.Ports;
using Vivarium.Linux.Sockets;
using Vivarium.Transport;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Streams;

/// <summary>
/// Port 1026: byte streams with a name. The host opens one (u32 big-endian length, id; echoed to accept), a program in the sandbox takes its other end by the same
/// handshake on the socket <c>streams.sock</c> in the agent's directory. A stream nobody takes within a minute ends.
/// </summary>
internal sealed class StreamsPort : IPortHandler, IDisposable
{
    private const int MaxIdBytes = 256;
    private static readonly TimeSpan ClaimTime = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan HandshakeTime = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, TaskCompletionSource<Socket>> _waiting = new(StringComparer.Ordinal);
    private readonly Socket? _listener;

    public StreamsPort(GuestContext context)
    {
        var path = Path.Combine(context.RunDirectory, "streams.sock");
        try
        {
            _listener = UnixSocket.Listen(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            _ = Task.Run(AcceptAsync);
        }
        catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException)
        {
            ConsoleLog.Write($"no named streams: {e.Message}"); // everything else still works
        }
    }

    public int Port => GuestPort.Streams;

    public async Task ServeAsync(DuplexStream stream, CancellationToken cancellationToken)
    {
        using var reader = new ConnectionReader(stream);
        var (id, refusal) = await ReadIdAsync(reader, cancellationToken);
        var claim = new TaskCompletionSource<Socket>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (refusal is null && !TryRegister(id, claim))
        {
            refusal = $"a stream '{id}' is waiting already";
        }

        if (refusal is not null)
        {
            await stream.WriteAsync(Message(refusal), cancellationToken);
            await stream.CompleteWritesAsync(cancellationToken);
            return;
        }

        try
        {
            await stream.WriteAsync(Message(id), cancellationToken);
            using var socket = await claim.Task.WaitAsync(ClaimTime, cancellationToken);
            await Splice.RunAsync(stream, reader, socket, cancellationToken);
        }
        catch (TimeoutException)
        {
            await stream.CompleteWritesAsync(cancellationToken);
        }
        finally
        {
            Unregister(id, claim);
            if (!claim.TrySetCanceled(CancellationToken.None) && claim.Task.IsCompletedSuccessfully)
            {
                (await claim.Task).Dispose(); // taken in the very moment it ended
            }
        }
    }

    public void Dispose() => _listener?.Dispose();

    private static async Task<(string Id, string? Refusal)> ReadIdAsync(ConnectionReader reader, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(HandshakeTime);
        var header = new byte[4];
        if (!await reader.ReadExactAsync(header, deadline.Token))
        {
            throw new EndOfStreamException("the stream ended before its name");
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(header);
        if (length is 0 or > MaxIdBytes)
        {
            return ("", $"a stream's id has 1 to {MaxIdBytes} bytes");
        }

        var id = new byte[length];
        return await reader.ReadExactAsync(id, deadline.Token) ? (Encoding.UTF8.GetString(id), null) : throw new EndOfStreamException("the stream ended before its name");
    }

    private static byte[] Message(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var message = new byte[4 + bytes.Length];
        BinaryPrimitives.WriteInt32BigEndian(message, bytes.Length);
        bytes.CopyTo(message, 4);
        return message;
    }

    private bool TryRegister(string id, TaskCompletionSource<Socket> claim)
    {
        lock (_gate)
        {
            return _waiting.TryAdd(id, claim);
        }
    }

    private void Unregister(string id, TaskCompletionSource<Socket> claim)
    {
        lock (_gate)
        {
            if (_waiting.TryGetValue(id, out var current) && current == claim)
            {
                _waiting.Remove(id);
            }
        }
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                var socket = await _listener!.AcceptAsync();
                _ = Task.Run(() => ClaimAsync(socket));
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.OperationAborted or SocketError.Shutdown)
            {
                return;
            }
            catch (SocketException)
            {
                // Out of descriptors for a moment, or a caller that went away: neither ends the listener.
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, CancellationToken.None);
            }
        }
    }

    /// <summary>A program's side of the handshake; a silent one is dropped and blocks nobody.</summary>
    private async Task ClaimAsync(Socket socket)
    {
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: false);
            using var deadline = new CancellationTokenSource(HandshakeTime);
            var header = new byte[4];
            await stream.ReadExactlyAsync(header, deadline.Token);
            var length = BinaryPrimitives.ReadUInt32BigEndian(header);
            if (length is 0 or > MaxIdBytes)
            {
                throw new InvalidDataException("bad id");
            }

            var bytes = new byte[length];
            await stream.ReadExactlyAsync(bytes, deadline.Token);
            var id = Encoding.UTF8.GetString(bytes);
            TaskCompletionSource<Socket>? claim;
            lock (_gate)
            {
                _waiting.Remove(id, out claim);
            }

            await stream.WriteAsync(Message(claim is null ? $"no stream '{id}' is waiting" : id), deadline.Token);
            if (claim is null || !claim.TrySetResult(socket))
            {
                socket.Dispose();
            }
        }
        catch (Exception e) when (e is IOException or SocketException or InvalidDataException or OperationCanceledException)
        {
            socket.Dispose();
        }
    }
}
