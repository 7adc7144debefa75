using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http.Features;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Connect;

/// <summary>
/// Reads and checks a request of the Connect protocol, version 1. Source: the protocol's specification, "Unary request" and "Streaming request". Compression is not
/// spoken; the specification's answer to that is <c>unimplemented</c>.
/// </summary>
internal static class ConnectRequest
{
    private const int MaxTimeoutDigits = 10;

    /// <summary>Thirty days: a timer has a limit, and nobody waits that long.</summary>
    private const long MaxTimeoutMs = 30L * 24 * 3600 * 1000;

    /// <summary>Whether the request's media type is this one; parameters (a charset) do not matter.</summary>
    public static bool Has(HttpRequest request, string contentType)
    {
        var given = request.ContentType ?? string.Empty;
        var semicolon = given.IndexOf(';', StringComparison.Ordinal);
        return (semicolon < 0 ? given : given[..semicolon]).Trim().Equals(contentType, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Checks the protocol's own headers; returns how long the caller waits at most.</summary>
    public static TimeSpan? Check(HttpRequest request, string encodingHeader)
    {
        if (request.Headers["connect-protocol-version"] is [{ } version, ..] && version != "1")
        {
            throw Bad($"connect-protocol-version must be 1, not {Shown(version)}");
        }

        if (request.Headers[encodingHeader] is [{ Length: > 0 } encoding, ..] && !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase))
        {
            throw new VivariumException(ErrorCode.Unimplemented, $"the compression {Shown(encoding)} is not spoken here", "Send requests without compression.", "unknown_compression");
        }

        if (request.Headers["connect-timeout-ms"] is not [{ } timeout, ..])
        {
            return null;
        }

        return timeout.Length <= MaxTimeoutDigits && long.TryParse(timeout, NumberStyles.None, CultureInfo.InvariantCulture, out var ms)
            ? TimeSpan.FromMilliseconds(Math.Min(ms, MaxTimeoutMs))
            : throw Bad($"connect-timeout-ms must be a number of at most {MaxTimeoutDigits} digits, not {Shown(timeout)}");
    }

    /// <summary>The body as one message.</summary>
    public static async Task<T> ReadAsync<T>(HttpRequest request, JsonTypeInfo<T> type, int max, CancellationToken cancellationToken)
    {
        var body = await BodyAsync(request, max, cancellationToken).ConfigureAwait(false);
        try
        {
            return Parse(body, type);
        }
        finally
        {
            // The connection can be used again only when its reader has been told that the body is read.
            request.BodyReader.AdvanceTo(body.End);
        }
    }

    /// <summary>The body as a stream of one message.</summary>
    public static async Task<T> ReadEnvelopeAsync<T>(HttpRequest request, JsonTypeInfo<T> type, int max, CancellationToken cancellationToken)
    {
        var body = await BodyAsync(request, max + ConnectEndStream.EnvelopeBytes, cancellationToken).ConfigureAwait(false);
        try
        {
            return ParseEnvelope(body, type);
        }
        finally
        {
            request.BodyReader.AdvanceTo(body.End);
        }
    }

    private static T ParseEnvelope<T>(ReadOnlySequence<byte> body, JsonTypeInfo<T> type)
    {
        if (body.Length == 0)
        {
            throw new VivariumException(ErrorCode.Unimplemented, "the request has no message; this method takes one", null, "message_count");
        }

        if (body.Length < ConnectEndStream.EnvelopeBytes)
        {
            throw Bad("the request ends inside the envelope of its message");
        }

        Span<byte> prefix = stackalloc byte[ConnectEndStream.EnvelopeBytes];
        body.Slice(0, ConnectEndStream.EnvelopeBytes).CopyTo(prefix);
        var length = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]);
        var rest = body.Length - ConnectEndStream.EnvelopeBytes;
        if (prefix[0] != 0)
        {
            throw (prefix[0] & ConnectEndStream.Compressed) != 0
                ? new VivariumException(ErrorCode.Internal, "the message is marked as compressed, and no compression was agreed on", null, "bad_envelope")
                : Bad("the envelope's flags are not known");
        }

        return length > rest ? throw Bad($"the envelope announces {length} bytes and {rest} follow")
            : length < rest ? throw new VivariumException(ErrorCode.Unimplemented, "the request has more than one message; this method takes one", null, "message_count")
            : Parse(body.Slice(ConnectEndStream.EnvelopeBytes), type);
    }

    private static async Task<ReadOnlySequence<byte>> BodyAsync(HttpRequest request, int max, CancellationToken cancellationToken)
    {
        // Our own limit is the one that counts: its answer is an error of the protocol.
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = null;
        }

        if (request.ContentLength > max)
        {
            throw TooLarge(max);
        }

        var reader = request.BodyReader;
        while (true)
        {
            ReadResult result;
            try
            {
                result = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Microsoft.AspNetCore.Http.BadHttpRequestException e)
            {
                throw new VivariumException(ErrorCode.InvalidArgument, "the request's body did not arrive whole", null, "bad_body", e);
            }

            if (result.Buffer.Length > max)
            {
                reader.AdvanceTo(result.Buffer.End);
                throw TooLarge(max);
            }

            if (result.IsCompleted)
            {
                return result.Buffer;
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    private static T Parse<T>(ReadOnlySequence<byte> body, JsonTypeInfo<T> type)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            var message = JsonSerializer.Deserialize(ref reader, type);
            if (message is null || reader.Read())
            {
                throw Bad("the message is not one JSON object");
            }

            return message;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The text of the exception names the path and the position, and nothing of the content.
            throw new VivariumException(ErrorCode.InvalidArgument, "the message cannot be read: " + e.Message, "docs/session-service.md shows every message.", "bad_message", e);
        }
    }

    private static VivariumException TooLarge(int max) => new(
        ErrorCode.ResourceExhausted, $"the message is larger than the {max} bytes that are allowed", "Send less at a time, or raise sessions.max_message.", "message_too_large");

    private static VivariumException Bad(string message) => new(ErrorCode.InvalidArgument, message, null, "bad_request");

    private static string Shown(string text) => Host.Naming.NameRules.Quote(text);
}
