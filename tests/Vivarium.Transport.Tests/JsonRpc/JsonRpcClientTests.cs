using System.Text;
using Vivarium.Transport.Host;
using Vivarium.Transport.JsonRpc;
using Vivarium.Transport.Lines;
using Vivarium.Transport.Tests.Support;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Transport.Tests.JsonRpc;

/// <summary>The calling side.</summary>
public sealed class JsonRpcClientTests
{
    [Fact]
    public async Task A_newer_server_may_say_more_than_we_know()
    {
        await using var peer = await Peer.CreateAsync();
        var call = peer.Client.VersionAsync(Limits.Token);
        Assert.Equal("""{"jsonrpc":"2.0","id":1,"method":"system.version","params":{}}""", await peer.ReadAsync());
        await peer.SendAsync("""{"jsonrpc":"2.0","id":1,"result":{"version":"9","api":2,"pid":7,"brand_new":[1]},"extra":true}""");
        Assert.Equal(7, (await call).Pid);
    }

    [Fact]
    public async Task Errors_keep_their_code_hint_and_reason()
    {
        await using var peer = await Peer.CreateAsync();
        var call = peer.Client.GetAsync("x", Limits.Token);
        await peer.ReadAsync();
        await peer.SendAsync("""{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"m","data":{"code":"not_found","message":"no sandbox x","hint":"viv ls","reason":"no_sandbox"}}}""");
        var error = await Assert.ThrowsAsync<VivariumException>(() => call);
        Assert.Equal((ErrorCode.NotFound, "no sandbox x", "viv ls", "no_sandbox"), (error.Code, error.Message, error.Hint!, error.Reason!));
    }

    [Theory]
    [InlineData("""{"code":-32601,"message":"unknown"}""", ErrorCode.Unimplemented)]
    [InlineData("""{"code":-32003,"message":"state"}""", ErrorCode.FailedPrecondition)]
    [InlineData("""{"code":5}""", ErrorCode.Internal)]
    [InlineData("3", ErrorCode.Internal)]
    public async Task Errors_of_other_servers_are_understood(string error, ErrorCode code)
    {
        await using var peer = await Peer.CreateAsync();
        var call = peer.Client.InfoAsync(Limits.Token);
        await peer.ReadAsync();
        await peer.SendAsync("""{"jsonrpc":"2.0","id":1,"error":""" + error + "}");
        Assert.Equal(code, (await Assert.ThrowsAsync<VivariumException>(() => call)).Code);
    }

    [Fact]
    public async Task Notifications_arrive_in_order_before_the_answer()
    {
        var stages = new List<string>();
        await using var peer = await Peer.CreateAsync(e => stages.Add(e.Stage));
        var call = peer.Client.CreateAsync(new CreateParams { Name = "n" }, Limits.Token);
        await peer.ReadAsync();
        for (var i = 0; i < 5; i++)
            await peer.SendAsync($$$"""{"jsonrpc":"2.0","method":"progress","params":{"operation_id":"op-1","stage":"s{{{i}}}"}}""");
        await peer.SendAsync("""{"jsonrpc":"2.0","id":1,"error":{"code":-32004,"message":"full"}}""");
        await Assert.ThrowsAsync<VivariumException>(() => call);
        Assert.Equal(["s0", "s1", "s2", "s3", "s4"], stages);
    }

    [Fact]
    public async Task Giving_up_tells_the_server()
    {
        await using var peer = await Peer.CreateAsync();
        using var soon = new CancellationTokenSource();
        var call = peer.Client.InfoAsync(soon.Token);
        await peer.ReadAsync();
        await soon.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.Equal("""{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}""", await peer.ReadAsync());
    }

    [Fact]
    public async Task The_end_of_the_connection_fails_every_call()
    {
        await using var peer = await Peer.CreateAsync();
        var calls = Enumerable.Range(0, 20).Select(_ => peer.Client.InfoAsync(Limits.Token)).ToList();
        await peer.ReadAsync();
        await peer.CloseAsync();
        foreach (var call in calls)
            Assert.Equal(ErrorCode.Unavailable, (await Assert.ThrowsAsync<VivariumException>(() => call)).Code);
        await Assert.ThrowsAsync<VivariumException>(() => peer.Client.InfoAsync(Limits.Token));
        await peer.Client.Ended.WaitAsync(Limits.Wait);
    }

    [Fact]
    public async Task Answers_nobody_waits_for_are_skipped()
    {
        await using var peer = await Peer.CreateAsync();
        await peer.SendAsync("""{"jsonrpc":"2.0","id":99,"result":{}}""");
        await peer.SendAsync("""{"jsonrpc":"2.0","id":"str","result":{}}""");
        var call = peer.Client.ShutdownAsync(new ShutdownParams(), Limits.Token);
        await peer.ReadAsync();
        await peer.SendAsync("""{"jsonrpc":"2.0","id":1,"result":{}}""");
        await call;
    }

    [Fact]
    public async Task A_peer_that_reads_nothing_does_not_hold_a_notifier()
    {
        var (one, other) = await SocketPair.CreateAsync();
        await using var _ = other;
        await using var connection = new JsonRpcConnection(one, null, new JsonRpcOptions { MaxBacklogBytes = 100_000 });
        connection.Start();
        var sent = 0;
        while (sent < 1_000_000 && connection.TryNotify("event", new RefParams { Ref = new string('x', 500) }, HostJson.Default.RefParams))
            sent++;
        Assert.InRange(sent, 10, 20_000);
    }

    [Fact]
    public async Task Both_sides_may_call()
    {
        var (one, other) = await SocketPair.CreateAsync();
        await using var left = Serve(one, "left");
        await using var right = Serve(other, "right");
        var calls = Enumerable.Range(0, 200).Select(async i =>
        {
            var (from, to) = i % 2 == 0 ? (left, "right") : (right, "left");
            var answer = await from.RequestAsync("who", new RefParams { Ref = $"{i}" }, HostJson.Default.RefParams, HostJson.Default.RefParams, Limits.Token);
            Assert.Equal($"{to} {i}", answer.Ref);
        });
        await Task.WhenAll(calls);

        static JsonRpcConnection Serve(DuplexStream stream, string name)
        {
            var connection = new JsonRpcConnection(stream, new JsonRpcDispatcher().Method(
                "who", HostJson.Default.RefParams, HostJson.Default.RefParams, (p, _, _) => new(new RefParams { Ref = $"{name} {p.Ref}" })));
            connection.Start();
            return connection;
        }
    }

    private sealed class Peer(HostClient client, LineStream lines) : IAsyncDisposable
    {
        public HostClient Client => client;

        public static async Task<Peer> CreateAsync(Action<OperationEvent>? onProgress = null)
        {
            var (one, other) = await SocketPair.CreateAsync();
            return new Peer(HostClient.Over(one, onProgress), new LineStream(other));
        }

        public async Task<string> ReadAsync() => Encoding.UTF8.GetString((await lines.ReadLineAsync(1_000_000, Limits.Token))!.Value.Span);

        public ValueTask SendAsync(string line) => lines.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"), Limits.Token);

        public ValueTask CloseAsync() => lines.DisposeAsync();

        public async ValueTask DisposeAsync()
        {
            await lines.DisposeAsync();
            await client.DisposeAsync();
        }
    }
}
