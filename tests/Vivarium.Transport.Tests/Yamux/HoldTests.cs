using System.Text;
using Vivarium.Linux.IO;
using Vivarium.Transport.Tests.Support;
using Vivarium.Transport.Yamux;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Transport.Tests.Yamux;

/// <summary>A connection that stands still while one side is saved, and its way back over another one.</summary>
public sealed class HoldTests
{
    private const byte Hold = 16;
    private const ushort Syn = 1;
    private const ushort Ack = 2;
    private const ushort Fin = 4;
    private const ushort Rst = 8;

    [Fact]
    public async Task Nothing_passes_a_held_connection_in_either_direction_and_nothing_is_lost()
    {
        var (client, server) = PipePeer.Pair();
        await using var _ = client;
        await using var __ = server;
        await using var near = await client.OpenAsync(1, Limits.Token);
        await using var far = (await server.AcceptAsync(Limits.Token))!.Value.Stream;

        await client.HoldAsync(Limits.Token);
        var sent = near.WriteAsync("to the guest"u8.ToArray(), Limits.Token).AsTask();
        var large = near.WriteAsync(new byte[100_000], Limits.Token).AsTask();
        var back = far.WriteAsync("to the host"u8.ToArray(), Limits.Token).AsTask();
        var arrived = far.ReadAsync(new byte[12], Limits.Token).AsTask();
        var arrivedBack = near.ReadAsync(new byte[11], Limits.Token).AsTask();
        await Task.Delay(50); // what must not happen cannot be waited for
        Assert.False(arrived.IsCompleted || arrivedBack.IsCompleted);

        client.Continue();
        Assert.Equal(12, await arrived.WaitAsync(Limits.Wait));
        Assert.Equal(11, await arrivedBack.WaitAsync(Limits.Wait));
        await Task.WhenAll(sent, back);
        var rest = new byte[100_000];
        await far.ReadExactlyAsync(rest, Limits.Token);
        await large.WaitAsync(Limits.Wait);
        Assert.True(await client.PingAsync(Limits.Token) > TimeSpan.Zero);
    }

    [Fact]
    public async Task A_hold_in_the_middle_of_heavy_traffic_changes_no_byte()
    {
        var (client, server) = PipePeer.Pair();
        await using var _ = client;
        await using var __ = server;
        await using var near = await client.OpenAsync(1, Limits.Token);
        await using var far = (await server.AcceptAsync(Limits.Token))!.Value.Stream;
        var bytes = new byte[8 * 1024 * 1024];
        new Random(7).NextBytes(bytes);
        var sending = Task.WhenAll(SendAsync(near, bytes), SendAsync(far, bytes));
        var reading = Task.WhenAll(ReadAllAsync(near), ReadAllAsync(far));
        for (var i = 0; i < 20; i++)
        {
            await client.HoldAsync(Limits.Token);
            client.Continue();
        }

        await sending.WaitAsync(Limits.Wait);
        Assert.All(await reading.WaitAsync(Limits.Wait), got => Assert.Equal(bytes, got));
    }

    [Fact]
    public async Task A_side_brought_back_learns_that_its_connection_is_new_and_serves_it()
    {
        var (toServer, fromClient) = Pipe.Create();
        var (toClient, fromServer) = Pipe.Create();
        var saved = new YamuxSession(Copy(toServer), Copy(fromServer), YamuxRole.Server);
        await using var oldHost = new FileStream(Copy(fromClient), FileAccess.Write, 0);
        await using var toOldHost = new FileStream(Copy(toClient), FileAccess.Read, 0);
        oldHost.Write([0, 0, 0, (byte)Syn, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1]); // a stream to port 1
        await using var far = (await saved.AcceptAsync(Limits.Token))!.Value.Stream;
        oldHost.Write([0, Hold, 0, (byte)Syn, 0, 0, 0, 0, 0, 0, 0, 0]);
        byte[] last = new byte[12];
        do
        {
            await toOldHost.ReadExactlyAsync(last, Limits.Token);
        }
        while (last[1] != Hold);

        // The host that saved it is gone without a word; another one comes over the same descriptors.
        await using var next = new YamuxSession(toClient, fromClient, YamuxRole.Client, new YamuxOptions { Restarts = true });
        var early = next.OpenAsync(2, Limits.Token);
        Assert.Equal(SessionEnd.Restarted, (await saved.Completed.WaitAsync(Limits.Wait)).Reason);
        await Assert.ThrowsAnyAsync<Exception>(() => far.ReadAsync(new byte[1], Limits.Token).AsTask());

        await using var fresh = new YamuxSession(toServer, fromServer, YamuxRole.Server, new YamuxOptions { Restarts = true });
        await next.RestartedAsync(Limits.Token);
        await using var near = await early;
        var accepted = (await fresh.AcceptAsync(Limits.Token))!.Value;
        Assert.Equal(2, accepted.Port);
        await near.WriteAsync("hello"u8.ToArray(), Limits.Token);
        var got = new byte[5];
        await accepted.Stream.ReadExactlyAsync(got, Limits.Token);
        Assert.Equal("hello", Encoding.ASCII.GetString(got));
        await accepted.Stream.DisposeAsync();
    }

    [Fact]
    public async Task A_hold_given_up_is_let_go_all_the_same()
    {
        await using var peer = new PipePeer(YamuxRole.Client);
        using var impatient = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => peer.Session.HoldAsync(impatient.Token));
        peer.Session.Continue();
        var frames = await peer.ReceiveAsync(24);
        Assert.Equal((Hold, (byte)Syn, Hold, (byte)Fin), (frames[1], frames[3], frames[13], frames[15]));
        peer.SendFrame(Hold, Ack, 0, 0); // the answer that came too late
        var ping = peer.Session.PingAsync(Limits.Token);
        Assert.Equal(2, (await peer.ReceiveAsync(12))[1]);
        peer.SendFrame(2, Ack, 0, 1);
        await ping;
    }

    [Theory]
    [InlineData(YamuxRole.Client, Syn)]
    [InlineData(YamuxRole.Client, Fin)]
    [InlineData(YamuxRole.Client, Rst)]
    [InlineData(YamuxRole.Server, Fin)]
    [InlineData(YamuxRole.Server, Rst)]
    [InlineData(YamuxRole.Server, Ack)]
    public async Task A_hold_out_of_turn_ends_the_session(YamuxRole role, ushort flags)
    {
        await using var peer = new PipePeer(role);
        peer.SendFrame(Hold, flags, 0, 0);
        Assert.Equal("protocol_error", (await peer.EndAsync()).Reason);
    }

    private static async Task SendAsync(DuplexStream stream, byte[] bytes)
    {
        await Task.Yield();
        for (var at = 0; at < bytes.Length; at += 30_000)
        {
            await stream.WriteAsync(bytes.AsMemory(at, Math.Min(30_000, bytes.Length - at)), Limits.Token);
        }

        await stream.CompleteWritesAsync(Limits.Token);
    }

    private static async Task<byte[]> ReadAllAsync(DuplexStream stream)
    {
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, Limits.Token);
        return all.ToArray();
    }

    private static SafeFileHandle Copy(SafeFileHandle fd) => new(fd.DangerousGetHandle(), ownsHandle: false);
}
