using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Threading.Channels;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Connect;

/// <summary>
/// Messages on their way to the caller. Whoever makes them never waits: what a slow caller has not read is kept up to a bound, and beyond it left out. The bound does not
/// hold for the last message.
/// </summary>
internal sealed class ConnectSink<T>(JsonTypeInfo<T> type, int maxMessage)
{
    /// <summary>Most bytes kept for a caller that does not read.</summary>
    public const int MaxPending = 4 * 1024 * 1024;

    private readonly Channel<byte[]> pending = Channel.CreateUnbounded<byte[]>(new UnboundedChannelOptions { SingleReader = true });
    private long bytes;

    /// <summary>Sends a message unless too much is waiting already; false when it was left out.</summary>
    public bool TrySend(T message)
    {
        if (Interlocked.Read(ref bytes) > MaxPending)
        {
            return false;
        }

        Post(message);
        return true;
    }

    /// <summary>Sends a message in any case.</summary>
    /// <exception cref="VivariumException">resource_exhausted: it is larger than a message may be.</exception>
    public void Send(T message) => Post(message);

    /// <summary>No more will come.</summary>
    public void Complete() => pending.Writer.TryComplete();

    /// <summary>Writes what comes until it is complete.</summary>
    public async Task DrainAsync(HttpResponse response, CancellationToken cancellationToken)
    {
        await foreach (var frame in pending.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            await response.BodyWriter.WriteAsync(frame, cancellationToken).ConfigureAwait(false);
            Interlocked.Add(ref bytes, -frame.Length);
        }
    }

    /// <summary>One message with its envelope.</summary>
    public static byte[] Frame<TMessage>(TMessage message, JsonTypeInfo<TMessage> type, byte flags)
    {
        using var stream = new MemoryStream();
        stream.Write([flags, 0, 0, 0, 0]);
        using (var writer = new Utf8JsonWriter(stream))
        {
            JsonSerializer.Serialize(writer, message, type);
        }

        var frame = stream.ToArray();
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)(frame.Length - ConnectEndStream.EnvelopeBytes));
        return frame;
    }

    private void Post(T message)
    {
        var frame = Frame(message, type, 0);
        if (frame.Length - ConnectEndStream.EnvelopeBytes > maxMessage)
        {
            throw new VivariumException(
                ErrorCode.ResourceExhausted, $"the answer is larger than the {maxMessage} bytes that are allowed", "Ask for less at a time, or raise sessions.max_message.", "message_too_large");
        }

        Interlocked.Add(ref bytes, frame.Length);
        pending.Writer.TryWrite(frame);
    }
}
