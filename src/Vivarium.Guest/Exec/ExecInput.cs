using System.Buffers;
using System.Text.Json;
using Vivarium.Guest.Ports;
using Vivarium.Guest.Processes;
using Vivarium.Transport;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Exec;

/// <summary>Reads frames from one connection: input for the process, and control messages.</summary>
internal static class ExecInput
{
    private const int PieceBytes = 64 * 1024;
    private const int MaxControlBytes = 64 * 1024;

    /// <summary>Runs until the host ends its side.</summary>
    /// <exception cref="InvalidDataException">The host sent what this port does not allow.</exception>
    public static async Task ReceiveAsync(
        ConnectionReader reader, DuplexStream stream, SemaphoreSlim writing, ManagedProcess process, bool readOnly, CancellationToken cancellationToken)
    {
        var header = new byte[ExecFrame.HeaderBytes];
        while (await reader.ReadExactAsync(header, cancellationToken))
        {
            var (channel, length) = ExecFrame.ReadHeader(header);
            if (channel == ExecChannel.Control)
            {
                await ReceiveControlAsync(reader, stream, writing, process, readOnly, length, cancellationToken);
            }
            else if (readOnly)
            {
                throw new InvalidDataException("input on a connection that only looks");
            }
            else if (length == 0)
            {
                process.Input?.Complete();
            }
            else
            {
                await ReceiveInputAsync(reader, process, length, cancellationToken);
            }
        }
    }

    private static async Task ReceiveInputAsync(ConnectionReader reader, ManagedProcess process, int length, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Min(length, PieceBytes));
        try
        {
            while (length > 0)
            {
                var count = await reader.ReadAsync(buffer.AsMemory(0, Math.Min(length, buffer.Length)), cancellationToken);
                if (count == 0)
                {
                    throw new EndOfStreamException("the connection ended in the middle of a frame");
                }

                length -= count;
                if (process.Input is { } input)
                {
                    await input.WriteAsync(buffer.AsMemory(0, count)).AsTask().WaitAsync(cancellationToken);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task ReceiveControlAsync(
        ConnectionReader reader, DuplexStream stream, SemaphoreSlim writing, ManagedProcess process, bool readOnly, int length, CancellationToken cancellationToken)
    {
        if (length is 0 or > MaxControlBytes)
        {
            throw new InvalidDataException($"a control message of {length} bytes");
        }

        var json = new byte[length];
        if (!await reader.ReadExactAsync(json, cancellationToken))
        {
            throw new EndOfStreamException("the connection ended in the middle of a frame");
        }

        ExecControl? message;
        try
        {
            message = JsonSerializer.Deserialize(json, GuestJson.Default.ExecControl);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException("a control message is not valid JSON", e);
        }

        switch (message?.Type)
        {
            case "ping":
                await writing.WaitAsync(cancellationToken);
                try
                {
                    await stream.WriteAsync(ExecFrame.Control(new ExecControl { Type = "ping" }), cancellationToken);
                }
                finally
                {
                    writing.Release();
                }

                break;
            case "resize" when !readOnly && message is { Cols: { } cols, Rows: { } rows }:
                process.Resize(cols, rows);
                break;
            case "signal" when !readOnly && message.Signal is >= 1 and <= 64:
                process.SignalGroup(message.Signal.Value);
                break;
            case "close_stdin" when !readOnly:
                process.Input?.Complete();
                break;
            default:
                // A newer host's message, or one this connection may not send: nothing depends on it.
                break;
        }
    }
}
