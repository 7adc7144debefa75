using System.Security.Cryptography;
using Vivarium.Transport.Tests.Support;
using Vivarium.Transport.Yamux;
using Vivarium.Wire.Errors;

namespace Vivarium.Transport.Tests.Yamux;

/// <summary>Two sessions of ours back to back.</summary>
public sealed class SessionTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_thousand_streams_at_once_keep_their_bytes_apart(bool overStreams)
    {
        var (client, server) = overStreams ? PipePeer.StreamPairOf() : PipePeer.Pair();
        await using var _ = client;
        await using var __ = server;
        var echo = EchoAsync(server);
        await Task.WhenAll(Enumerable.Range(0, 1000).Select(async i =>
        {
            var random = new Random(i);
            var bytes = new byte[random.Next(1, 20_000)];
            random.NextBytes(bytes);
            await using var stream = await client.OpenAsync(i, Limits.Token);
            var write = Task.Run(async () =>
            {
                await stream.WriteAsync(bytes, Limits.Token);
                await stream.CompleteWritesAsync(Limits.Token);
            });
            using var back = new MemoryStream();
            await stream.CopyToAsync(back, Limits.Token);
            await write;
            Assert.Equal(bytes, back.ToArray());
        }));
        Assert.Equal(0, client.OpenStreams);
        await client.DisposeAsync();
        await echo.WaitAsync(Limits.Wait);
        Assert.Equal(0, server.OpenStreams);
    }

    [Fact]
    public async Task A_hundred_megabytes_pass_unchanged_both_ways_at_once()
    {
        var (client, server) = PipePeer.Pair();
        await using var _ = client;
        await using var __ = server;
        await using var one = await client.OpenAsync(7, Limits.Token);
        await using var other = (await server.AcceptAsync(Limits.Token))!.Value.Stream;
        var sums = await Task.WhenAll(SendAsync(one, 1), SendAsync(other, 2), SumAsync(one), SumAsync(other));
        Assert.Equal(sums[0], sums[3]);
        Assert.Equal(sums[1], sums[2]);
    }

    [Fact]
    public async Task A_reader_that_does_not_read_holds_up_its_own_stream_only()
    {
        var (client, server) = PipePeer.Pair();
        await using var _ = client;
        await using var __ = server;
        await using var stuck = await client.OpenAsync(1, Limits.Token);
        var stuckServer = (await server.AcceptAsync(Limits.Token))!.Value.Stream;
        using var giveUp = new CancellationTokenSource();
        var blocked = Task.Run(async () =>
        {
            while (true)
                await stuckServer.WriteAsync(new byte[64 * 1024], giveUp.Token);
        });

        await using var free = await client.OpenAsync(2, Limits.Token);
        await using var freeServer = (await server.AcceptAsync(Limits.Token))!.Value.Stream;
        var sums = await Task.WhenAll(SendAsync(freeServer, 3), SumAsync(free));
        Assert.Equal(sums[0], sums[1]);
        Assert.False(blocked.IsCompleted);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => blocked.WaitAsync(Limits.Wait));
    }

    [Fact]
    public async Task Half_close_ends_one_direction_only()
    {
        var (client, server) = PipePeer.Pair();
        await using var _ = client;
        await using var __ = server;
        await using var one = await client.OpenAsync(1, Limits.Token);
        await using var other = (await server.AcceptAsync(Limits.Token))!.Value.Stream;
        await one.CompleteWritesAsync(Limits.Token);
        Assert.Equal(0, await other.ReadAsync(new byte[1], Limits.Token));
        Assert.Equal(0, await other.ReadAsync(new byte[1], Limits.Token));
        await other.WriteAsync("still here"u8.ToArray(), Limits.Token);
        await other.CompleteWritesAsync(Limits.Token);
        using var rest = new MemoryStream();
        await one.CopyToAsync(rest, Limits.Token);
        Assert.Equal("still here"u8.ToArray(), rest.ToArray());
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await one.WriteAsync(new byte[1], Limits.Token));
    }

    [Fact]
    public async Task A_refused_port_is_a_reset()
    {
        var (client, server) = PipePeer.Pair();
        await using var _ = client;
        await using var __ = server;
        await using var stream = await client.OpenAsync(9999, Limits.Token);
        await (await server.AcceptAsync(Limits.Token))!.Value.Stream.DisposeAsync();
        await Assert.ThrowsAsync<IOException>(async () => Assert.Equal(0, await stream.ReadAsync(new byte[1], Limits.Token)));
        await Assert.ThrowsAsync<IOException>(async () => await stream.WriteAsync(new byte[1], Limits.Token));
    }

    [Fact]
    public async Task Bytes_before_a_reset_can_still_be_read()
    {
        var (client, server) = PipePeer.Pair();
        await using var _ = client;
        await using var __ = server;
        var stream = await client.OpenAsync(1, Limits.Token);
        await using var other = (await server.AcceptAsync(Limits.Token))!.Value.Stream;
        await stream.WriteAsync("last words"u8.ToArray(), Limits.Token);
        await stream.DisposeAsync();
        await other.ReadExactlyAsync(new byte[10], Limits.Token);
        await Assert.ThrowsAsync<IOException>(async () => Assert.Equal(0, await other.ReadAsync(new byte[1], Limits.Token)));
    }

    [Fact]
    public async Task Cancelling_a_read_leaves_the_stream_usable()
    {
        var (client, server) = PipePeer.Pair();
        await using var _ = client;
        await using var __ = server;
        await using var one = await client.OpenAsync(1, Limits.Token);
        await using var other = (await server.AcceptAsync(Limits.Token))!.Value.Stream;
        using var soon = new CancellationTokenSource(20);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => Assert.Equal(1, await one.ReadAsync(new byte[1], soon.Token)));
        await other.WriteAsync("x"u8.ToArray(), Limits.Token);
        Assert.Equal(1, await one.ReadAsync(new byte[8], Limits.Token));
    }

    [Fact]
    public async Task A_write_can_be_cancelled_while_the_peer_reads_nothing_at_all()
    {
        await using var peer = new PipePeer(YamuxRole.Client);
        await using var stream = await peer.Session.OpenAsync(1, Limits.Token);
        using var soon = new CancellationTokenSource(100);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await stream.WriteAsync(new byte[1 << 20], soon.Token));

        // The frame that had begun arrives whole: 64 KiB of pipe were full of a 256 KiB frame.
        var header = (await peer.ReceiveAsync(14 + 12))[14..];
        var length = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(8));
        await peer.ReceiveAsync((int)length);
        var ping = peer.Session.PingAsync(Limits.Token);
        Assert.Equal(2, (await peer.ReceiveAsync(12))[1]);
        peer.SendFrame(2, 2, 0, 1);
        await ping;
    }

    [Fact]
    public async Task The_end_of_the_connection_reaches_every_stream()
    {
        var (client, server) = PipePeer.Pair();
        await using var _ = client;
        var streams = new List<DuplexStream>();
        for (var i = 0; i < 50; i++)
            streams.Add(await client.OpenAsync(i, Limits.Token));
        var reads = streams.ConvertAll(s => s.ReadAsync(new byte[1], Limits.Token).AsTask());
        await server.DisposeAsync();
        foreach (var read in reads)
            Assert.Equal(ErrorCode.Unavailable, (await Assert.ThrowsAsync<VivariumException>(() => read)).Code);
        Assert.Equal("peer_closed", (await client.Completed.WaitAsync(Limits.Wait)).Reason);
    }

    [Fact]
    public async Task Too_many_streams_of_our_own_are_refused_with_a_code()
    {
        var (client, server) = PipePeer.Pair(new YamuxOptions { MaxStreams = 3 });
        await using var _ = client;
        await using var __ = server;
        for (var i = 0; i < 3; i++)
            await client.OpenAsync(1, Limits.Token);
        var error = await Assert.ThrowsAsync<VivariumException>(async () => await client.OpenAsync(1, Limits.Token));
        Assert.Equal(ErrorCode.ResourceExhausted, error.Code);
    }

    [Fact]
    public async Task A_peer_that_goes_away_takes_no_new_streams_but_the_old_go_on()
    {
        var (client, server) = PipePeer.Pair();
        await using var _ = client;
        await using var __ = server;
        await using var one = await client.OpenAsync(1, Limits.Token);
        await using var other = (await server.AcceptAsync(Limits.Token))!.Value.Stream;
        server.GoAway();
        await other.WriteAsync("x"u8.ToArray(), Limits.Token);
        Assert.Equal(1, await one.ReadAsync(new byte[8], Limits.Token));
        await Assert.ThrowsAsync<VivariumException>(async () => await client.OpenAsync(1, Limits.Token));
    }

    [Fact]
    public async Task Ending_sessions_gives_their_descriptors_back()
    {
        var before = Directory.GetFiles("/proc/self/fd").Length;
        for (var i = 0; i < 50; i++)
        {
            var (client, server) = PipePeer.Pair();
            await client.OpenAsync(1, Limits.Token);
            await client.DisposeAsync();
            await server.DisposeAsync();
        }

        // Reading threads close theirs a moment later; other tests run beside this one.
        await Eventually(() => Directory.GetFiles("/proc/self/fd").Length < before + 60);
    }

    private static async Task Eventually(Func<bool> condition)
    {
        var limit = Limits.Token;
        while (!condition())
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit);
    }

    private static async Task EchoAsync(YamuxSession server)
    {
        var all = new List<Task>();
        await foreach (var accepted in server.AcceptAllAsync())
        {
            all.Add(Task.Run(async () =>
            {
                await using var stream = accepted.Stream;
                await stream.CopyToAsync(stream);
                await stream.CompleteWritesAsync();
            }));
        }

        await Task.WhenAll(all);
    }

    private static async Task<string> SendAsync(DuplexStream stream, int seed)
    {
        await Task.Yield();
        var random = new Random(seed);
        var bytes = new byte[700_000];
        using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var left = 100_000_000; left > 0;)
        {
            var length = Math.Min(left, random.Next(1, bytes.Length));
            random.NextBytes(bytes.AsSpan(0, Math.Min(length, 1000)));
            sum.AppendData(bytes, 0, length);
            await stream.WriteAsync(bytes.AsMemory(0, length), Limits.Token);
            left -= length;
        }

        await stream.CompleteWritesAsync(Limits.Token);
        return Convert.ToHexString(sum.GetHashAndReset());
    }

    private static async Task<string> SumAsync(DuplexStream stream)
    {
        await Task.Yield();
        var bytes = new byte[300_000];
        using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        int read;
        while ((read = await stream.ReadAsync(bytes, Limits.Token)) > 0)
            sum.AppendData(bytes, 0, read);
        return Convert.ToHexString(sum.GetHashAndReset());
    }
}
