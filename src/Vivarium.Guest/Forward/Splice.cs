using System.Buffers;
using System.Net.Sockets;
using Vivarium.Guest.Ports;
using Vivarium.Transport;

namespace Vivarium.Guest.Forward;

/// <summary>Carries bytes between a stream of the host and a socket until both directions have ended.</summary>
internal static class Splice
{
    private const int FirstBytes = 16 * 1024;
    private const int MostBytes = 256 * 1024;

    /// <summary>Runs to the end. A direction that breaks breaks the other; one that ends is passed on as an end.</summary>
    public static async Task RunAsync(DuplexStream stream, ConnectionReader reader, Socket socket, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var inwards = Guarded(InwardsAsync(reader, socket, either.Token), either);
        var outwards = Guarded(OutwardsAsync(socket, stream, either.Token), either);
        await Task.WhenAll(inwards, outwards);
    }

    private static async Task Guarded(Task direction, CancellationTokenSource either)
    {
        try
        {
            await direction;
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            await either.CancelAsync();
        }
    }

    private static async Task InwardsAsync(ConnectionReader reader, Socket socket, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(FirstBytes);
        try
        {
            while (await reader.ReadAsync(buffer, cancellationToken) is var count and > 0)
            {
                for (var sent = 0; sent < count;)
                {
                    sent += await socket.SendAsync(buffer.AsMemory(sent, count - sent), cancellationToken);
                }

                buffer = Larger(buffer, count);
            }

            socket.Shutdown(SocketShutdown.Send);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task OutwardsAsync(Socket socket, DuplexStream stream, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(FirstBytes);
        try
        {
            while (await socket.ReceiveAsync(buffer, cancellationToken) is var count and > 0)
            {
                await stream.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
                buffer = Larger(buffer, count);
            }

            await stream.CompleteWritesAsync(cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // A forward that is used in earnest gets large pieces; a thousand idle ones stay small.
    private static byte[] Larger(byte[] buffer, int filled)
    {
        if (filled < buffer.Length || buffer.Length >= MostBytes)
        {
            return buffer;
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return ArrayPool<byte>.Shared.Rent(buffer.Length * 4);
    }
}
