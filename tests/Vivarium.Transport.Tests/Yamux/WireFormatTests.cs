using Vivarium.Transport.Tests.Support;
using Vivarium.Transport.Yamux;

namespace Vivarium.Transport.Tests.Yamux;

/// <summary>Golden bytes of the yamux specification, as a peer of another make would see and send them.</summary>
public sealed class WireFormatTests
{
    [Fact]
    public async Task Opening_sends_one_data_frame_with_syn_and_the_port()
    {
        await using var peer = new PipePeer(YamuxRole.Client);
        await using var stream = await peer.Session.OpenAsync(1025, Limits.Token);
        Assert.Equal(Convert.FromHexString("000000010000000100000002" + "0401"), await peer.ReceiveAsync(14));
    }

    [Fact]
    public async Task Data_half_close_and_second_stream_have_their_golden_bytes()
    {
        await using var peer = new PipePeer(YamuxRole.Client);
        await using var first = await peer.Session.OpenAsync(1, Limits.Token);
        await using var second = await peer.Session.OpenAsync(2, Limits.Token);
        await second.WriteAsync("hi"u8.ToArray(), Limits.Token);
        await second.CompleteWritesAsync(Limits.Token);
        Assert.Equal(
            Convert.FromHexString("000000010000000100000002" + "0001" + "000000010000000300000002" + "0002" + "000000000000000300000002" + "6869" + "000000040000000300000000"),
            await peer.ReceiveAsync(14 + 14 + 14 + 12));
    }

    [Fact]
    public async Task The_server_acknowledges_with_its_first_frame_and_answers_pings()
    {
        await using var peer = new PipePeer(YamuxRole.Server);
        peer.Send(Convert.FromHexString("000000010000000100000002" + "0400"));
        var accepted = await peer.Session.AcceptAsync(Limits.Token);
        Assert.Equal(1024, accepted!.Value.Port);
        await accepted.Value.Stream.WriteAsync("x"u8.ToArray(), Limits.Token);
        Assert.Equal(Convert.FromHexString("000000020000000100000001" + "78"), await peer.ReceiveAsync(13));

        peer.Send(Convert.FromHexString("0002000100000000deadbeef"));
        Assert.Equal(Convert.FromHexString("0002000200000000deadbeef"), await peer.ReceiveAsync(12));
    }

    [Fact]
    public async Task A_syn_may_come_with_a_window_update_and_the_port_in_two_pieces()
    {
        await using var peer = new PipePeer(YamuxRole.Server);
        peer.SendFrame(type: 1, flags: 1, stream: 7, length: 1000);
        peer.SendFrame(type: 0, flags: 0, stream: 7, length: 1, [0x04]);
        peer.SendFrame(type: 0, flags: 0, stream: 7, length: 4, [0x03, .. "abc"u8]);
        var accepted = await peer.Session.AcceptAsync(Limits.Token);
        Assert.Equal(1027, accepted!.Value.Port);
        var bytes = new byte[3];
        await accepted.Value.Stream.ReadExactlyAsync(bytes, Limits.Token);
        Assert.Equal("abc"u8.ToArray(), bytes);
    }

    [Fact]
    public async Task Disposing_an_unread_stream_resets_it()
    {
        await using var peer = new PipePeer(YamuxRole.Server);
        peer.SendFrame(0, 1, 1, 2, [0, 9]);
        var accepted = await peer.Session.AcceptAsync(Limits.Token);
        await accepted!.Value.Stream.DisposeAsync();
        Assert.Equal(Convert.FromHexString("0001000a0000000100000000"), await peer.ReceiveAsync(12));
        Assert.Equal(0, peer.Session.OpenStreams);
    }

    [Fact]
    public async Task Credit_is_given_back_when_half_the_window_has_been_read()
    {
        await using var peer = new PipePeer(YamuxRole.Client, new YamuxOptions { MaxWindow = YamuxOptions.InitialWindow });
        await using var stream = await peer.Session.OpenAsync(5, Limits.Token);
        await peer.ReceiveAsync(14);
        var send = Task.Run(() => peer.SendFrame(0, 0, 1, 128 * 1024, new byte[128 * 1024]));
        await stream.ReadExactlyAsync(new byte[128 * 1024], Limits.Token);
        await send;
        Assert.Equal(Convert.FromHexString("000100000000000100020000"), await peer.ReceiveAsync(12));
    }

    [Fact]
    public async Task Our_ping_is_answered_and_timed()
    {
        await using var peer = new PipePeer(YamuxRole.Client);
        var ping = peer.Session.PingAsync(Limits.Token).AsTask();
        Assert.Equal(Convert.FromHexString("000200010000000000000001"), await peer.ReceiveAsync(12));
        peer.SendFrame(2, 2, 0, 1);
        Assert.True(await ping.WaitAsync(Limits.Wait) > TimeSpan.Zero);
    }

    [Fact]
    public async Task Disposing_the_session_says_go_away()
    {
        await using var peer = new PipePeer(YamuxRole.Client);
        await peer.Session.DisposeAsync();
        Assert.Equal(Convert.FromHexString("000300000000000000000000"), await peer.ReceiveAsync(12));
        Assert.Equal("closed", (await peer.EndAsync()).Reason);
    }
}
