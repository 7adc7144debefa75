using System.Buffers.Binary;
using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Sessions;

namespace Vivarium.Client;

/// <summary>The caller's side of the Connect protocol with JSON: unary calls and server streams. Source: the protocol's specification, version 1.</summary>
internal sealed class ConnectTransport(HttpClient http, Uri address, SessionClientOptions options)
{
    private const string UnaryType = "application/json";
    private const string StreamType = "application/connect+json";
    private const int MaxErrorBytes = 1024 * 1024;
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);

    /// <summary>The service gets to say that the time is over; this is how much longer we wait for that.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    /// <summary>One call, repeated while the service cannot be reached if that is safe.</summary>
    public async Task<TResponse> CallAsync<TRequest, TResponse>(
        string method, TRequest message, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TResponse> responseType, bool repeatable, CancellationToken cancellationToken)
    {
        var wait = FirstWait;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await CallOnceAsync(method, message, requestType, responseType, cancellationToken).ConfigureAwait(false);
            }
            catch (VivariumException e) when (e.Code == ErrorCode.Unavailable && repeatable && attempt < options.Attempts)
            {
                await Task.Delay(wait, options.Time, cancellationToken).ConfigureAwait(false);
                wait = wait + wait < LongestWait ? wait + wait : LongestWait;
            }
        }
    }

    /// <summary>A server stream.</summary>
    public async IAsyncEnumerable<TMessage> StreamAsync<TRequest, TMessage>(
        string method, TRequest message, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TMessage> messageType, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var deadline = Deadline(cancellationToken);
        var body = JsonSerializer.SerializeToUtf8Bytes(message, requestType);
        var envelope = new byte[ConnectEndStream.EnvelopeBytes + body.Length];
        BinaryPrimitives.WriteUInt32BigEndian(envelope.AsSpan(1), (uint)body.Length);
        body.CopyTo(envelope, ConnectEndStream.EnvelopeBytes);
        using var request = Request(method, envelope, StreamType);
        using var response = await SendAsync(method, request, deadline.Token, cancellationToken).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode || response.Content.Headers.ContentType?.MediaType != StreamType)
        {
            throw await ErrorAsync(method, response, deadline.Token).ConfigureAwait(false);
        }

        var stream = await response.Content.ReadAsStreamAsync(deadline.Token).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            while (true)
            {
                var (flags, bytes) = await ReadAsync(method, stream, deadline.Token, cancellationToken).ConfigureAwait(false);
                if ((flags & ConnectEndStream.Flag) != 0)
                {
                    if (Parse(method, bytes, SessionJson.Wire.ConnectEndStream).Error is { } error)
                    {
                        throw From(error);
                    }

                    yield break;
                }

                yield return Parse(method, bytes, messageType);
            }
        }
    }

    private async Task<TResponse> CallOnceAsync<TRequest, TResponse>(
        string method, TRequest message, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TResponse> responseType, CancellationToken cancellationToken)
    {
        using var deadline = Deadline(cancellationToken);
        using var request = Request(method, JsonSerializer.SerializeToUtf8Bytes(message, requestType), UnaryType);
        using var response = await SendAsync(method, request, deadline.Token, cancellationToken).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode)
        {
            throw await ErrorAsync(method, response, deadline.Token).ConfigureAwait(false);
        }

        try
        {
            return Parse(method, await BodyAsync(method, response, options.MaxMessageBytes, deadline.Token).ConfigureAwait(false), responseType);
        }
        catch (Exception e) when (Explain(method, e, cancellationToken) is { } explained)
        {
            throw explained;
        }
    }

    private HttpRequestMessage Request(string method, byte[] body, string type)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, $"{SessionMethod.Service}/{method}"))
        {
            Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue(type) } },
        };
        request.Headers.TryAddWithoutValidation("connect-protocol-version", "1");
        request.Headers.TryAddWithoutValidation(SessionMethod.VersionHeader, "v" + SessionMethod.Version.ToString(CultureInfo.InvariantCulture));
        if (options.Token is { } token)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        if (options.Timeout is { } timeout)
        {
            request.Headers.TryAddWithoutValidation("connect-timeout-ms", ((long)Math.Ceiling(timeout.TotalMilliseconds)).ToString(CultureInfo.InvariantCulture));
        }

        return request;
    }

    private CancellationTokenSource Deadline(CancellationToken cancellationToken)
    {
        var source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (options.Timeout is { } timeout)
        {
            source.CancelAfter(timeout + Grace);
        }

        return source;
    }

    private async Task<HttpResponseMessage> SendAsync(string method, HttpRequestMessage request, CancellationToken deadline, CancellationToken caller)
    {
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, deadline).ConfigureAwait(false);
        }
        catch (Exception e) when (Explain(method, e, caller) is { } explained)
        {
            throw explained;
        }
    }

    private async Task<(byte Flags, byte[] Message)> ReadAsync(string method, Stream stream, CancellationToken deadline, CancellationToken caller)
    {
        try
        {
            var prefix = new byte[ConnectEndStream.EnvelopeBytes];
            await stream.ReadExactlyAsync(prefix, deadline).ConfigureAwait(false);
            var length = BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1));
            if (length > options.MaxMessageBytes)
            {
                throw TooLarge(method);
            }

            var message = new byte[length];
            await stream.ReadExactlyAsync(message, deadline).ConfigureAwait(false);
            return (prefix[0], message);
        }
        catch (Exception e) when (Explain(method, e, caller) is { } explained)
        {
            throw explained;
        }
    }

    /// <summary>What a failure of the network means; null for what is to be thrown as it is.</summary>
    private static VivariumException? Explain(string method, Exception e, CancellationToken caller) => e switch
    {
        OperationCanceledException when caller.IsCancellationRequested => null,
        OperationCanceledException => new VivariumException(ErrorCode.DeadlineExceeded, $"{method} took longer than it may", "What it began goes on.", "deadline", e),
        HttpRequestException or IOException => new VivariumException(
            ErrorCode.Unavailable, $"{method}: the session service cannot be reached: {e.GetBaseException().Message}", "See that the daemon runs and http.listen is that address.", "unreachable", e),
        _ => null,
    };

    private static async Task<VivariumException> ErrorAsync(string method, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        if (response.Content.Headers.ContentType?.MediaType == UnaryType)
        {
            var body = await BodyAsync(method, response, MaxErrorBytes, cancellationToken).ConfigureAwait(false);
            if (Parse(method, body, SessionJson.Wire.ConnectError) is { Code: not null } error)
            {
                return From(error);
            }
        }

        // Somebody between us and the service answered. Source: "HTTP to Error Code" of the specification.
        var code = status switch
        {
            400 => ErrorCode.Internal,
            401 => ErrorCode.Unauthenticated,
            403 => ErrorCode.PermissionDenied,
            404 => ErrorCode.Unimplemented,
            429 or 502 or 503 or 504 => ErrorCode.Unavailable,
            _ => ErrorCode.Internal,
        };
        return new VivariumException(code, $"{method}: the answer is no session service's (HTTP status {status})", "See that the address is right and the service enabled (sessions.enabled).", "not_connect");
    }

    private static async Task<byte[]> BodyAsync(string method, HttpResponseMessage response, int most, CancellationToken cancellationToken)
    {
        var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            using var body = new MemoryStream();
            var buffer = new byte[64 * 1024];
            while (await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is var read and > 0)
            {
                body.Write(buffer, 0, read);
                if (body.Length > most)
                {
                    throw TooLarge(method);
                }
            }

            return body.ToArray();
        }
    }

    private static T Parse<T>(string method, byte[] body, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(body, type) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new VivariumException(ErrorCode.Internal, $"{method}: the answer cannot be read: {e.Message}", null, "bad_answer", e);
        }
    }

    private static VivariumException From(ConnectError error)
    {
        var info = error.Details?.FirstOrDefault(static d => d.Type == ConnectErrorDetail.ErrorInfo)?.Debug?.Deserialize(SessionJson.Wire.ConnectErrorInfo);
        return new VivariumException(ErrorCodes.Parse(error.Code), error.Message ?? error.Code ?? "error", info?.Metadata?.GetValueOrDefault("hint"), info?.Reason);
    }

    private static VivariumException TooLarge(string method) => new(ErrorCode.ResourceExhausted, $"{method}: the answer is larger than is taken", "Raise MaxMessageBytes.", "message_too_large");
}
