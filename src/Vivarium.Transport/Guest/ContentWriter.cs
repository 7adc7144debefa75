using System.Buffers.Binary;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Guest;

/// <summary>Writes file content as chunks (see <see cref="ContentStream"/>), each in one write. Shared by both sides.</summary>
public static class ContentWriter
{
    /// <summary>Bytes before a chunk's content.</summary>
    public const int HeaderBytes = 4;

    private const int CopyBytes = 256 * 1024 - HeaderBytes;

    private static readonly ReadOnlyMemory<byte> EndMark = new byte[HeaderBytes];

    /// <summary>Sends a chunk without copying it: the first <see cref="HeaderBytes"/> of the buffer are room for the length.</summary>
    public static ValueTask WritePrefixedAsync(Stream connection, Memory<byte> chunk, CancellationToken cancellationToken)
    {
        var length = chunk.Length - HeaderBytes;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, FileRequest.MaxChunkBytes, nameof(chunk));
        if (length == 0)
            return default; // A chunk of length zero would be the end.
        BinaryPrimitives.WriteUInt32BigEndian(chunk.Span, (uint)length);
        return connection.WriteAsync(chunk, cancellationToken);
    }

    /// <summary>Sends the end of the content.</summary>
    public static ValueTask EndAsync(Stream connection, CancellationToken cancellationToken) => connection.WriteAsync(EndMark, cancellationToken);

    /// <summary>Sends all of a stream and the end mark; returns the number of bytes.</summary>
    public static async Task<long> CopyAsync(Stream source, Stream connection, CancellationToken cancellationToken)
    {
        var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(HeaderBytes + CopyBytes);
        try
        {
            long total = 0;
            while (true)
            {
                var read = await source.ReadAsync(buffer.AsMemory(HeaderBytes, CopyBytes), cancellationToken).ConfigureAwait(false);
                if (read == 0)
                    break;
                await WritePrefixedAsync(connection, buffer.AsMemory(0, HeaderBytes + read), cancellationToken).ConfigureAwait(false);
                total += read;
            }

            await EndAsync(connection, cancellationToken).ConfigureAwait(false);
            return total;
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
