using System.Buffers.Binary;
using System.Text;
using Vivarium.Wire.Errors;

namespace Vivarium.Transport.Guest;

/// <summary>
/// The caller's side of the named-stream port: u32 big-endian length and the id; the guest echoes both to accept, or sends
/// an error text in their place.
/// </summary>
public static class NamedStreamClient
{
    /// <summary>Longest id, in bytes of UTF-8.</summary>
    public const int MaxIdBytes = 256;

    /// <summary>Longest answer read; longer ones are cut off by the error.</summary>
    private const int MaxAnswerBytes = 4096;

    /// <summary>Opens the named stream over a fresh connection (owned from now on), which then carries the raw bytes.</summary>
    /// <exception cref="VivariumException">invalid_argument: the id is empty or too long; failed_precondition: the guest refused, with its words.</exception>
    public static async Task<DuplexStream> StartAsync(DuplexStream stream, string id, CancellationToken cancellationToken)
    {
        try
        {
            var idBytes = Encoding.UTF8.GetBytes(id);
            if (idBytes.Length is 0 or > MaxIdBytes)
                throw new VivariumException(ErrorCode.InvalidArgument, $"the stream id must have 1 to {MaxIdBytes} bytes", reason: "bad_stream_id");
            var request = new byte[4 + idBytes.Length];
            BinaryPrimitives.WriteUInt32BigEndian(request, (uint)idBytes.Length);
            idBytes.CopyTo(request, 4);
            await stream.WriteAsync(request, cancellationToken).ConfigureAwait(false);

            var answer = await ReadAnswerAsync(stream, cancellationToken).ConfigureAwait(false);
            if (!answer.AsSpan().SequenceEqual(idBytes))
                throw new VivariumException(ErrorCode.FailedPrecondition, $"the guest refused the stream {id}: {Encoding.UTF8.GetString(answer)}", reason: "stream_refused");
            return stream;
        }
        catch (EndOfStreamException e)
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw new VivariumException(ErrorCode.Unavailable, $"the guest closed the stream {id} before it answered", reason: "closed_early", inner: e);
        }
        catch
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task<byte[]> ReadAnswerAsync(DuplexStream stream, CancellationToken cancellationToken)
    {
        var header = new byte[4];
        await stream.ReadExactlyAsync(header, cancellationToken).ConfigureAwait(false);
        var length = BinaryPrimitives.ReadUInt32BigEndian(header);
        if (length > MaxAnswerBytes)
            throw new VivariumException(ErrorCode.InvalidArgument, $"the guest's answer of {length} bytes is longer than {MaxAnswerBytes}", reason: "bad_frame");
        var answer = new byte[length];
        await stream.ReadExactlyAsync(answer, cancellationToken).ConfigureAwait(false);
        return answer;
    }
}
