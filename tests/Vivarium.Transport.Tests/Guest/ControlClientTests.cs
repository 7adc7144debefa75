using System.Text.Json;
using Vivarium.Transport.Guest;
using Vivarium.Transport.Lines;
using Vivarium.Transport.Tests.Support;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Tests.Guest;

public sealed class ControlClientTests
{
    [Fact]
    public async Task Requests_have_the_published_form()
    {
        await using var pair = await Pair.CreateAsync();
        var secret = pair.Client.InjectSecretAsync(new InjectSecretPayload { Name = "K", Value = "v", Mode = 384 }, null, Limits.Token);
        Assert.Equal("""{"type":"inject_secret","payload":{"name":"K","value":"v","mode":384},"id":"1"}""", await pair.Guest.ReadAsync());
        await pair.Guest.SendLineAsync("""{"type":"ack","payload":{"reply_to":"inject_secret","ok":true},"id":"1"}""");
        await secret;
    }

    [Fact]
    public async Task A_plain_stereosd_without_ids_answers_in_order()
    {
        await using var pair = await Pair.CreateAsync();
        var ping = pair.Client.PingAsync(null, Limits.Token);
        var health = pair.Client.GetHealthAsync(null, Limits.Token);
        var config = pair.Client.SetConfigAsync("x", null, Limits.Token);
        for (var i = 0; i < 3; i++)
            await pair.Guest.ReadAsync();
        await pair.Guest.SendLineAsync("""{"type":"pong"}""");
        await pair.Guest.SendLineAsync("""{"type":"lifecycle","payload":{"state":"ready","message":"m"}}""");
        await pair.Guest.SendLineAsync("""{"type":"health","payload":{"state":"healthy","agents":[{"name":"a","running":true,"restarts":0}],"uptime_seconds":42}}""");
        await pair.Guest.SendLineAsync("""{"type":"ack","payload":{"reply_to":"set_config","ok":false,"error":"disk full"}}""");
        await ping;
        Assert.Equal(("healthy", 42L), ((await health).State, (await health).UptimeSeconds));
        Assert.Contains("disk full", (await Assert.ThrowsAsync<VivariumException>(() => config)).Message, StringComparison.Ordinal);
        Assert.Equal(["ready"], pair.Lifecycle);
    }

    [Fact]
    public async Task With_ids_answers_may_overtake()
    {
        await using var pair = await Pair.CreateAsync();
        var slow = pair.Client.GetHealthAsync(null, Limits.Token);
        var fast = pair.Client.PingAsync(null, Limits.Token);
        await pair.Guest.ReadAsync();
        await pair.Guest.ReadAsync();
        await pair.Guest.SendLineAsync("""{"type":"pong","id":"2"}""");
        await fast;
        Assert.False(slow.IsCompleted);
        await pair.Guest.SendLineAsync("""{"type":"health","id":"1","payload":{"state":"ready","uptime_seconds":1}}""");
        await slow;
    }

    [Fact]
    public async Task Hello_refuses_a_guest_with_another_token()
    {
        await using var pair = await Pair.CreateAsync();
        var hello = pair.Client.HelloAsync(new HelloPayload { Protocol = 1, Version = "1", Token = "right" }, null, Limits.Token);
        await pair.Guest.ReadAsync();
        await pair.Guest.SendLineAsync("""{"type":"hello","id":"1","payload":{"protocol":1,"version":"1","token":"wrong"}}""");
        Assert.Equal(ErrorCode.Unauthenticated, (await Assert.ThrowsAsync<VivariumException>(() => hello)).Code);

        hello = pair.Client.HelloAsync(new HelloPayload { Protocol = 1, Version = "1", Token = "right" }, null, Limits.Token);
        await pair.Guest.ReadAsync();
        await pair.Guest.SendLineAsync("""{"type":"ack","id":"2","payload":{"reply_to":"hello","ok":false,"error":"wrong token"}}""");
        Assert.Equal(ErrorCode.Unauthenticated, (await Assert.ThrowsAsync<VivariumException>(() => hello)).Code);
    }

    [Fact]
    public async Task An_old_guest_refuses_a_new_type_politely()
    {
        await using var pair = await Pair.CreateAsync();
        var stats = pair.Client.GetStatsAsync(null, Limits.Token);
        await pair.Guest.ReadAsync();
        await pair.Guest.SendLineAsync("""{"type":"ack","payload":{"reply_to":"stats","ok":false,"error":"unknown message type: stats"}}""");
        Assert.Equal(ErrorCode.Unimplemented, (await Assert.ThrowsAsync<VivariumException>(() => stats)).Code);
    }

    [Fact]
    public async Task A_silent_guest_runs_into_the_deadline_and_later_answers_still_match()
    {
        await using var pair = await Pair.CreateAsync();
        var error = await Assert.ThrowsAsync<VivariumException>(() => pair.Client.PingAsync(TimeSpan.FromMilliseconds(50), Limits.Token));
        Assert.Equal(ErrorCode.DeadlineExceeded, error.Code);
        var health = pair.Client.GetHealthAsync(null, Limits.Token);
        await pair.Guest.ReadAsync();
        await pair.Guest.ReadAsync();
        await pair.Guest.SendLineAsync("""{"type":"pong"}""");
        await pair.Guest.SendLineAsync("""{"type":"health","payload":{"state":"ready","uptime_seconds":1}}""");
        Assert.Equal("ready", (await health).State);
    }

    [Theory]
    [InlineData("not json\n")]
    [InlineData("null\n")]
    [InlineData("{\"payload\":1}\n")]
    [InlineData("")]
    public async Task A_guest_that_babbles_or_goes_fails_what_waits(string text)
    {
        await using var pair = await Pair.CreateAsync();
        var ping = pair.Client.PingAsync(null, Limits.Token);
        await pair.Guest.ReadAsync();
        await pair.Guest.SendAsync(System.Text.Encoding.UTF8.GetBytes(text));
        await pair.Guest.DisposeAsync();
        Assert.Equal(ErrorCode.Unavailable, (await Assert.ThrowsAsync<VivariumException>(() => ping)).Code);
        await Assert.ThrowsAsync<VivariumException>(() => pair.Client.PingAsync(null, Limits.Token));
    }

    [Fact]
    public async Task A_line_without_end_is_bounded()
    {
        await using var pair = await Pair.CreateAsync();
        var ping = pair.Client.PingAsync(null, Limits.Token);
        await pair.Guest.ReadAsync();
        _ = Task.Run(async () =>
        {
            try
            {
                await pair.Guest.SendAsync(new byte[3_000_000]);
            }
            catch (IOException)
            {
                // The client has hung up.
            }
        });
        Assert.Equal(ErrorCode.ResourceExhausted, (await Assert.ThrowsAsync<VivariumException>(() => ping)).Code);
    }

    [Fact]
    public async Task Waiting_for_ready_polls_and_reconnects()
    {
        var connections = 0;
        var health = await ControlClient.WaitForReadyAsync(
            async cancellationToken =>
            {
                if (++connections == 1)
                    throw new IOException("not there yet");
                var (one, other) = await SocketPair.CreateAsync();
                var __ = ServeAsync(new LineStream(other), connections);
                return one;
            },
            TimeSpan.FromSeconds(15),
            TimeProvider.System,
            Limits.Token);
        Assert.Equal("ready", health.State);
        Assert.Equal(3, connections);

        static async Task ServeAsync(LineStream lines, int connection)
        {
            await using var _ = lines;
            foreach (var state in (string[])["booting", "degraded", "ready"])
            {
                if (await lines.ReadLineAsync(1000, Limits.Token) is not { } line)
                    return;
                if (connection == 2 && state == "degraded")
                    return;
                var id = JsonDocument.Parse(line).RootElement.GetProperty("id").GetString();
                var answer = $$$"""{"type":"health","id":"{{{id}}}","payload":{"state":"{{{state}}}","uptime_seconds":1}}""" + "\n";
                await lines.WriteAsync(System.Text.Encoding.UTF8.GetBytes(answer), Limits.Token);
            }
        }
    }

    [Fact]
    public async Task Waiting_for_a_guest_that_never_comes_ends_at_the_deadline()
    {
        var error = await Assert.ThrowsAsync<VivariumException>(() => ControlClient.WaitForReadyAsync(
            _ => throw new IOException("no route"), TimeSpan.FromMilliseconds(200), TimeProvider.System, Limits.Token));
        Assert.Equal(ErrorCode.DeadlineExceeded, error.Code);
        Assert.Contains("no route", error.Message, StringComparison.Ordinal);
    }

    private sealed class Pair(ControlClient client, ScriptedGuest guest, List<string> lifecycle) : IAsyncDisposable
    {
        public ControlClient Client => client;

        public ScriptedGuest Guest => guest;

        public List<string> Lifecycle => lifecycle;

        public static async Task<Pair> CreateAsync()
        {
            var (one, other) = await SocketPair.CreateAsync();
            var lifecycle = new List<string>();
            return new Pair(new ControlClient(one) { OnLifecycle = p => lifecycle.Add(p.State) }, new ScriptedGuest(new LineStream(other)), lifecycle);
        }

        public async ValueTask DisposeAsync()
        {
            await guest.DisposeAsync();
            await client.DisposeAsync();
        }
    }
}
