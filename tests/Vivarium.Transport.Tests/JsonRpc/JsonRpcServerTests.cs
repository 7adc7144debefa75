using System.Text;
using System.Text.Json;
using Vivarium.Transport.JsonRpc;
using Vivarium.Transport.Lines;
using Vivarium.Transport.Supervisor;
using Vivarium.Transport.Tests.Support;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Transport.Tests.JsonRpc;

/// <summary>A served connection, seen by a client that writes its own bytes.</summary>
public sealed class JsonRpcServerTests : IAsyncLifetime
{
    private readonly TaskCompletionSource _release = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private UnixSocketStream _client = null!;
    private LineStream _lines = null!;
    private JsonRpcConnection _server = null!;

    public async ValueTask InitializeAsync()
    {
        (_client, var other) = await SocketPair.CreateAsync();
        _lines = new LineStream(_client);
        var dispatcher = new JsonRpcDispatcher()
            .Method("echo", HostJson.Default.RefParams, HostJson.Default.RefParams, (p, _, _) => new(p))
            .Method("nothing", HostJson.Default.Empty, HostJson.Default.Empty, (p, _, _) => new(p))
            .Method("fail", HostJson.Default.Empty, HostJson.Default.Empty, (_, _, _) => throw new VivariumException(ErrorCode.NotFound, "no such thing", "look elsewhere", "gone"))
            .Method("crash", HostJson.Default.Empty, HostJson.Default.Empty, (_, _, _) => throw new InvalidOperationException("secret detail"))
            .Method("wait", HostJson.Default.Empty, HostJson.Default.Empty, async (p, _, ct) =>
            {
                try
                {
                    await _release.Task.WaitAsync(ct);
                }
                catch (OperationCanceledException)
                {
                    _cancelled.TrySetResult();
                    throw;
                }

                return p;
            });
        _server = new JsonRpcConnection(other, dispatcher, new JsonRpcOptions { MaxMessageBytes = 100_000, MaxConcurrentRequests = 4 });
        _server.Start();
    }

    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"echo","params":{"ref":"a"}}""", """{"jsonrpc":"2.0","id":1,"result":{"ref":"a"}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":"x-1","method":"echo","params":{"ref":"ä"}}""", """{"jsonrpc":"2.0","id":"x-1","result":{"ref":"\u00E4"}}""")]
    [InlineData("""{"id":2.5,"params":{},"method":"nothing","jsonrpc":"2.0"}""", """{"jsonrpc":"2.0","id":2.5,"result":{}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":3,"method":"nothing"}""", """{"jsonrpc":"2.0","id":3,"result":{}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":3,"method":"nothing","params":null}""", """{"jsonrpc":"2.0","id":3,"result":{}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":4,"method":"fail"}""", """{"jsonrpc":"2.0","id":4,"error":{"code":-32001,"message":"no such thing","data":{"code":"not_found","message":"no such thing","hint":"look elsewhere","reason":"gone"}}}""")]
    public async Task Answers_are_exact(string request, string answer)
    {
        await SendAsync(request + "\r\n");
        Assert.Equal(answer, await ReadAsync());
    }

    [Theory]
    [InlineData("{", -32700)]
    [InlineData("nonsense", -32700)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"nothing"} x""", -32700)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\",\"params\":{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}}", -32700)]
    [InlineData("""[{"jsonrpc":"2.0","id":1,"method":"nothing"}]""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"\ud800"}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"echo","params":{"ref":"\ud800"}}""", -32602)]
    [InlineData("[]", -32600)]
    [InlineData("17", -32600)]
    [InlineData("{}", -32600)]
    [InlineData("""{"id":1,"method":"nothing"}""", -32600)]
    [InlineData("""{"jsonrpc":"1.0","id":1,"method":"nothing"}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":{},"method":"nothing"}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":5}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"echo","params":["a"]}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"no.such"}""", -32601)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"echo"}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"echo","params":{"ref":1}}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"echo","params":{"ref":"a","reff":"b"}}""", -32602)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"crash"}""", -32603)]
    public async Task What_is_wrong_is_said_and_the_connection_goes_on(string request, int code)
    {
        await SendAsync(request + "\n");
        using var answer = JsonDocument.Parse(await ReadAsync());
        var error = answer.RootElement.GetProperty("error");
        Assert.Equal(code, error.GetProperty("code").GetInt32());
        Assert.NotEqual(0, error.GetProperty("data").GetProperty("message").GetString()!.Length);
        Assert.DoesNotContain("secret", error.GetRawText(), StringComparison.Ordinal);
        await SendAsync("""{"jsonrpc":"2.0","id":9,"method":"nothing"}""" + "\n");
        Assert.Equal("""{"jsonrpc":"2.0","id":9,"result":{}}""", await ReadAsync());
    }

    [Fact]
    public async Task An_oversized_message_is_refused_and_then_the_connection_closes()
    {
        var send = SendAsync("""{"jsonrpc":"2.0","id":1,"method":"echo","params":{"ref":" """ + new string('x', 3_000_000));
        using var answer = JsonDocument.Parse(await ReadAsync());
        Assert.Equal(-32600, answer.RootElement.GetProperty("error").GetProperty("code").GetInt32());
        Assert.Equal("resource_exhausted", answer.RootElement.GetProperty("error").GetProperty("data").GetProperty("code").GetString());
        await send;
        await _client.CompleteWritesAsync();
        Assert.Null(await _lines.ReadLineAsync(1000, Limits.Token));
        await _server.Completed.WaitAsync(Limits.Wait);
    }

    [Fact]
    public async Task Requests_run_side_by_side_and_answers_overtake()
    {
        await SendAsync("""{"jsonrpc":"2.0","id":1,"method":"wait"}""" + "\n" + """{"jsonrpc":"2.0","id":2,"method":"nothing"}""" + "\n");
        Assert.Contains("\"id\":2", await ReadAsync(), StringComparison.Ordinal);
        _release.SetResult();
        Assert.Contains("\"id\":1", await ReadAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_can_be_cancelled()
    {
        await SendAsync("""{"jsonrpc":"2.0","id":"w","method":"wait"}""" + "\n" + """{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"w"}}""" + "\n");
        using var answer = JsonDocument.Parse(await ReadAsync());
        Assert.Equal(ErrorCodes.ToJsonRpc(ErrorCode.Canceled), answer.RootElement.GetProperty("error").GetProperty("code").GetInt32());
        await _cancelled.Task.WaitAsync(Limits.Wait);
    }

    [Fact]
    public async Task One_request_more_than_allowed_is_refused()
    {
        for (var i = 0; i < 5; i++)
            await SendAsync($$"""{"jsonrpc":"2.0","id":{{i}},"method":"wait"}""" + "\n");
        using var answer = JsonDocument.Parse(await ReadAsync());
        Assert.Equal(4, answer.RootElement.GetProperty("id").GetInt32());
        Assert.Equal(ErrorCodes.ToJsonRpc(ErrorCode.ResourceExhausted), answer.RootElement.GetProperty("error").GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task A_half_closed_client_still_gets_its_answer()
    {
        await SendAsync("""{"jsonrpc":"2.0","id":1,"method":"wait"}""");
        await _client.CompleteWritesAsync();
        _ = Task.Run(async () =>
        {
            await Task.Yield();
            _release.SetResult();
        });
        Assert.Equal("""{"jsonrpc":"2.0","id":1,"result":{}}""", await ReadAsync());
        Assert.Null(await _lines.ReadLineAsync(1000, Limits.Token));
    }

    [Fact]
    public async Task Ending_the_connection_cancels_what_it_asked_for()
    {
        await SendAsync("""{"jsonrpc":"2.0","id":1,"method":"wait"}""" + "\n");
        await SendAsync("""{"jsonrpc":"2.0","id":2,"method":"nothing"}""" + "\n");
        await ReadAsync();
        await _server.DisposeAsync();
        await _cancelled.Task.WaitAsync(Limits.Wait);
        Assert.True(_server.Ended.IsCancellationRequested);
    }

    [Fact]
    public async Task A_client_that_asks_and_never_reads_is_left_waiting_in_bounded_memory()
    {
        var (one, other) = await SocketPair.CreateAsync();
        await using var _ = one;
        var answered = 0;
        var dispatcher = new JsonRpcDispatcher().Method("big", HostJson.Default.Empty, HostJson.Default.RefParams, (_, _, _) =>
        {
            answered++;
            return new(new RefParams { Ref = new string('x', 100_000) });
        });
        await using var server = new JsonRpcConnection(other, dispatcher, new JsonRpcOptions { MaxBacklogBytes = 1_000_000 });
        server.Start();
        using var soon = new CancellationTokenSource(500);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            for (var i = 0; ; i++)
                await one.WriteAsync(Encoding.UTF8.GetBytes($$"""{"jsonrpc":"2.0","id":{{i}},"method":"big"}""" + "\n"), soon.Token);
        });
        Assert.InRange(answered, 1, 60);
    }

    [Fact]
    public async Task Garbage_of_any_kind_is_survived()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var line = Encoding.UTF8.GetBytes("""{"jsonrpc":"2.0","id":1,"method":"echo","params":{"ref":"abc"}}""");
            for (var i = random.Next(1, 6); i > 0; i--)
                line[random.Next(line.Length)] = (byte)random.Next(256);
            await _client.WriteAsync(line, Limits.Token);
            await SendAsync("\n");
        }

        await SendAsync("""{"jsonrpc":"2.0","id":"last","method":"nothing"}""" + "\n");
        while (!(await ReadAsync()).Contains("\"last\"", StringComparison.Ordinal))
        {
        }
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"x"}""", OpeningKind.JsonRpc)]
    [InlineData("""{"method":"ping"}""", OpeningKind.OneShot)]
    [InlineData("""{"connect":1025,"ticket":"t"}""", OpeningKind.Connect)]
    [InlineData("garbage", OpeningKind.JsonRpc)]
    [InlineData("[]", OpeningKind.JsonRpc)]
    public async Task The_first_line_is_told_apart_and_nothing_is_lost(string first, OpeningKind kind)
    {
        var (one, other) = await SocketPair.CreateAsync();
        await using var _ = one;
        await using var lines = new LineStream(other);
        await one.WriteAsync(Encoding.UTF8.GetBytes(first + "\nraw bytes behind"), Limits.Token);
        await one.CompleteWritesAsync();
        Assert.Equal(kind, await Opening.ReadAsync(lines, 1000, Limits.Token));
        Assert.Equal(first, Encoding.UTF8.GetString((await lines.ReadLineAsync(1000, Limits.Token))!.Value.Span));
        using var rest = new MemoryStream();
        await lines.CopyToAsync(rest, Limits.Token);
        Assert.Equal("raw bytes behind", Encoding.UTF8.GetString(rest.ToArray()));
    }

    [Fact]
    public async Task A_connection_closed_without_a_word_is_told_too()
    {
        var (one, other) = await SocketPair.CreateAsync();
        await one.DisposeAsync();
        await using var lines = new LineStream(other);
        Assert.Equal(OpeningKind.Closed, await Opening.ReadAsync(lines, 1000, Limits.Token));
    }

    private ValueTask SendAsync(string text) => _client.WriteAsync(Encoding.UTF8.GetBytes(text), Limits.Token);

    private async Task<string> ReadAsync() => Encoding.UTF8.GetString((await _lines.ReadLineAsync(1_000_000, Limits.Token))!.Value.Span);
}
