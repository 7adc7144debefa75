using System.Net.Sockets;
using Vivarium.Acceptance.Harness;
using Vivarium.Acceptance.Net;

namespace Vivarium.Acceptance.Ports;

/// <summary>Published ports carry 512 connections at a time over all of them: one more is ended at once, those there are go on, and a place that is left is taken again.</summary>
public sealed class PublishedPortBoundTests(PrivateDaemon daemon) : VivTest(daemon), IClassFixture<PrivateDaemon>
{
    private const int Most = 512;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory, MemberData(nameof(Runtimes))]
    public async Task More_than_512_connections_are_ended_at_once_and_the_others_go_on(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime, "-p", "7000", "-p", "7001");
        await NetProbe.GiveAsync(box);
        await box.ShAsync("setsid net-probe serve 7000 </dev/null >/dev/null 2>&1 & setsid net-probe serve 7001 </dev/null >/dev/null 2>&1 &");
        var ports = (await box.ShowAsync()).GetProperty("ports").EnumerateArray().Select(static p => p.GetProperty("host_port").GetInt32()).ToArray();
        var open = new List<Socket>();
        try
        {
            foreach (var port in ports)
            {
                await Eventually.HoldsAsync(async () => await GreetedAsync(port) is { } greeted && Keep(greeted), Patience, "the server answers");
            }

            while (open.Count < Most)
            {
                open.Add(await GreetedAsync(ports[open.Count % 2]) ?? throw new InvalidOperationException($"connection {open.Count + 1} was ended"));
            }

            Assert.Null(await GreetedAsync(ports[0]));
            Assert.Null(await GreetedAsync(ports[1]));
            Assert.All(open, static socket => Assert.False(socket.Poll(0, SelectMode.SelectRead), "a connection that was there was ended"));

            open[0].Dispose();
            open.RemoveAt(0);
            await Eventually.HoldsAsync(async () => await GreetedAsync(ports[1]) is { } taken && Keep(taken), Patience, "the place that was left is taken again");
            Assert.Null(await GreetedAsync(ports[0]));
        }
        finally
        {
            open.ForEach(static socket => socket.Dispose());
        }

        bool Keep(Socket socket)
        {
            open.Add(socket);
            return true;
        }
    }

    /// <summary>A connection the server has greeted; null when it was ended.</summary>
    private static async Task<Socket?> GreetedAsync(int port)
    {
        var socket = await Loopback.ConnectAsync(port);
        try
        {
            using var patience = new CancellationTokenSource(Patience);
            if (await socket.ReceiveAsync(new byte[16], patience.Token) == 3)
            {
                return socket;
            }
        }
        catch (SocketException)
        {
            // Ended by a reset.
        }

        socket.Dispose();
        return null;
    }
}
