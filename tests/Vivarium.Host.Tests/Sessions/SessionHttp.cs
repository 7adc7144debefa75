using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Vivarium.Host.Tests.Sessions;

/// <summary>A client of the session service written from the Connect protocol's specification alone, so that the tests hold the service to the wire and not to our own client.</summary>
internal sealed class SessionHttp(string address, string? token)
{
    private const string Prefix = "/rpc.v1.SandboxService/";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private static readonly SocketsHttpHandler Handler = new();

    /// <summary>Calls a unary method and expects success.</summary>
    public async Task<JsonElement> CallAsync(string method, string body = "{}")
    {
        var answer = await TryAsync(method, body);
        Assert.True(answer.Status == HttpStatusCode.OK, $"{method} {body}: {answer}");
        return answer.Json;
    }

    /// <summary>Calls a unary method and expects an error of this code; returns its message and reason.</summary>
    public async Task<(string Message, string Reason)> RefusedAsync(string method, string body, string code, HttpStatusCode status, params (string Name, string Value)[] headers)
    {
        var answer = await TryAsync(method, body, headers);
        Assert.True(answer.Status == status, $"{method} {body}: {answer}");
        Assert.Equal("application/json", answer.ContentType);
        Assert.Equal(code, answer.Json.GetProperty("code").GetString());
        var detail = answer.Json.GetProperty("details")[0];
        Assert.Equal("google.rpc.ErrorInfo", detail.GetProperty("type").GetString());
        var info = detail.GetProperty("debug");

        // The same text is in the protobuf form: field 1, its length, the reason.
        var reason = info.GetProperty("reason").GetString()!;
        var value = detail.GetProperty("value").GetString()!;
        var bytes = Convert.FromBase64String(value.PadRight((value.Length + 3) / 4 * 4, '='));
        Assert.Equal((10, reason.Length, reason), (bytes[0], bytes[1], Encoding.UTF8.GetString(bytes, 2, bytes[1])));
        return (answer.Json.GetProperty("message").GetString()!, reason);
    }

    /// <summary>Calls a unary method.</summary>
    public Task<Answer> TryAsync(string method, string body, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, method, new StringContent(body, new UTF8Encoding(false), new MediaTypeHeaderValue("application/json")), headers);

    /// <summary>Sends anything.</summary>
    public async Task<Answer> SendAsync(HttpMethod verb, string method, HttpContent? content, params (string Name, string Value)[] headers)
    {
        using var http = new HttpClient(Handler, disposeHandler: false) { Timeout = Patience };
        using var request = new HttpRequestMessage(verb, new Uri(address + (method.StartsWith('/') ? method : Prefix + method))) { Content = content };
        Authorize(request, headers);
        using var response = await http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return new Answer(response.StatusCode, response.Content.Headers.ContentType?.MediaType, text, response.Headers.Concat(response.Content.Headers).ToDictionary(h => h.Key, h => string.Join(",", h.Value), StringComparer.OrdinalIgnoreCase));
    }

    /// <summary>Calls a streaming method; gives each message as it comes, and the end of the stream last.</summary>
    public async IAsyncEnumerable<(byte Flags, JsonElement Message)> StreamAsync(
        string method, string body, (string Name, string Value)[]? headers = null, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var http = new HttpClient(Handler, disposeHandler: false) { Timeout = Patience };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address + Prefix + method)) { Content = new ByteArrayContent(Envelope(body)) { Headers = { ContentType = new("application/connect+json") } } };
        Authorize(request, headers ?? []);
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/connect+json", response.Content.Headers.ContentType!.MediaType);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var prefix = new byte[5];
        while (await stream.ReadAtLeastAsync(prefix, 5, throwOnEndOfStream: false, cancellationToken) is var read and > 0)
        {
            Assert.Equal(5, read);
            var message = new byte[BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1))];
            await stream.ReadExactlyAsync(message, cancellationToken);
            yield return (prefix[0], JsonDocument.Parse(message).RootElement.Clone());
        }
    }

    public static byte[] Envelope(string body)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var envelope = new byte[5 + bytes.Length];
        BinaryPrimitives.WriteUInt32BigEndian(envelope.AsSpan(1), (uint)bytes.Length);
        bytes.CopyTo(envelope, 5);
        return envelope;
    }

    private void Authorize(HttpRequestMessage request, (string Name, string Value)[] headers)
    {
        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                request.Content!.Headers.TryAddWithoutValidation(name, value);
            }
        }
    }

    internal sealed record Answer(HttpStatusCode Status, string? ContentType, string Text, IReadOnlyDictionary<string, string> Headers)
    {
        public JsonElement Json => JsonDocument.Parse(Text).RootElement.Clone();
    }
}
