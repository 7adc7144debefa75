using Vivarium.Transport.Tests.Support;
using Vivarium.Transport.Yamux;
using Vivarium.Wire.Errors;

namespace Vivarium.Transport.Tests.Yamux;

/// <summary>A peer that breaks the protocol ends its session with a reason, and nothing else happens.</summary>
public sealed class HostilePeerTests
{
    [Theory]
    [InlineData("010000000000000100000000", "version 1")]
    [InlineData("000900000000000100000000", "type 9")]
    [InlineData("000000000000000000000001", "stream 0")]
    [InlineData("000000000000000500000000", "never opened")]
    [InlineData("000100000000000200000001", "never opened")]
    [InlineData("000000010000000200000002", "an id of this side")]
    [InlineData("0000000100000001000000020001" + "000000010000000100000002", "twice")]
    [InlineData("0000000100000001fffffff0", "more than its window")]
    [InlineData("0000000100000001000000020001" + "000100000000000180000000", "2 GiB")]
    public async Task Breaking_the_protocol_ends_the_session(string hex, string because)
    {
        await using var peer = new PipePeer(YamuxRole.Server);
        peer.Send(Convert.FromHexString(hex));
        var end = await peer.EndAsync();
        Assert.Equal("protocol_error", end.Reason);
        Assert.Contains(because, end.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_that_ended_says_why_to_everyone()
    {
        await using var peer = new PipePeer(YamuxRole.Client);
        var stream = await peer.Session.OpenAsync(1, Limits.Token);
        var read = stream.ReadAsync(new byte[1], Limits.Token).AsTask();
        peer.Send(1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0);
        var error = await Assert.ThrowsAsync<VivariumException>(() => read);
        Assert.Equal(ErrorCode.Unavailable, error.Code);
        Assert.Equal("protocol_error", error.Reason);
        await Assert.ThrowsAsync<VivariumException>(async () => await stream.WriteAsync(new byte[1], Limits.Token));
        await Assert.ThrowsAsync<VivariumException>(async () => await peer.Session.OpenAsync(1, Limits.Token));
    }

    [Fact]
    public async Task A_peer_that_sends_a_little_less_than_it_announced_and_goes_is_noticed()
    {
        await using var peer = new PipePeer(YamuxRole.Server);
        peer.SendFrame(0, 1, 1, 60_000, [0, 1, 2, 3]);
        peer.HangUp();
        Assert.Equal("io_error", (await peer.EndAsync()).Reason);
    }

    [Fact]
    public async Task A_window_is_enforced_over_many_frames()
    {
        await using var peer = new PipePeer(YamuxRole.Server);
        peer.SendFrame(0, 1, 1, 2, [0, 1]);
        for (var i = 0; i < 3; i++)
            peer.SendFrame(0, 0, 1, 64 * 1024, new byte[64 * 1024]);
        peer.SendFrame(0, 0, 1, 64 * 1024, new byte[100]);
        Assert.Equal("protocol_error", (await peer.EndAsync()).Reason);
    }

    [Fact]
    public async Task Streams_beyond_the_cap_are_reset_and_the_others_live()
    {
        await using var peer = new PipePeer(YamuxRole.Server, new YamuxOptions { MaxStreams = 2 });
        for (uint i = 0; i < 5; i++)
            peer.SendFrame(0, 1, 1 + (2 * i), 2, [0, 1]);
        for (var i = 0; i < 3; i++)
            Assert.Equal(Convert.FromHexString($"000100080000000{5 + (2 * i)}00000000"), await peer.ReceiveAsync(12));
        peer.SendFrame(0, 0, 1, 1, [42]);
        var accepted = await peer.Session.AcceptAsync(Limits.Token);
        Assert.Equal(1, await accepted!.Value.Stream.ReadAsync(new byte[8], Limits.Token));
        Assert.Equal(2, peer.Session.OpenStreams);
    }

    [Fact]
    public async Task A_client_takes_no_streams_and_skips_what_comes_for_them()
    {
        await using var peer = new PipePeer(YamuxRole.Client);
        peer.SendFrame(0, 1, 2, 5, [1, 2, 3, 4, 5]);
        peer.SendFrame(2, 1, 0, 77);
        Assert.Equal(Convert.FromHexString("000100080000000200000000" + "00020002000000000000004d"), await peer.ReceiveAsync(24));
    }

    [Fact]
    public async Task Frames_for_a_stream_that_is_over_are_skipped()
    {
        await using var peer = new PipePeer(YamuxRole.Server);
        peer.SendFrame(0, 1, 1, 2, [0, 1]);
        await (await peer.Session.AcceptAsync(Limits.Token))!.Value.Stream.DisposeAsync();
        peer.SendFrame(0, 0, 1, 3, [1, 2, 3]);
        peer.SendFrame(1, 0, 1, 1000);
        peer.SendFrame(2, 1, 0, 1);
        Assert.Equal(Convert.FromHexString("0001000a0000000100000000" + "000200020000000000000001"), await peer.ReceiveAsync(24));
    }

    [Fact]
    public async Task A_flood_of_pings_that_is_never_read_back_ends_the_session()
    {
        await using var peer = new PipePeer(YamuxRole.Server, new YamuxOptions { MaxBacklog = 16 * 1024 });
        var flood = Task.Run(() =>
        {
            try
            {
                for (uint i = 0; i < 1_000_000; i++)
                    peer.SendFrame(2, 1, 0, i);
            }
            catch (IOException)
            {
                // The session has hung up.
            }
        });
        Assert.Equal("peer_stalled", (await peer.EndAsync()).Reason);
        await flood.WaitAsync(Limits.Wait);
    }

    [Fact]
    public async Task Random_bytes_never_do_more_than_end_the_session()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            await using var peer = new PipePeer(seed % 2 == 0 ? YamuxRole.Server : YamuxRole.Client);
            var bytes = new byte[random.Next(0, 4096)];
            random.NextBytes(bytes);
            for (var at = 0; at + 12 < bytes.Length && seed % 3 != 0; at += random.Next(12, 40))
            {
                // Mostly plausible headers, so that the fuzz gets past the first check.
                (bytes[at], bytes[at + 1], bytes[at + 2]) = (0, (byte)random.Next(0, 4), 0);
                bytes.AsSpan(at + 4, 3).Clear();
                bytes.AsSpan(at + 8, 2).Clear();
            }

            peer.Send(bytes);
            peer.HangUp();
            var end = await peer.EndAsync();
            Assert.Contains(end.Reason, (string[])["protocol_error", "io_error", "peer_closed", "peer_go_away"]);
        }
    }
}
