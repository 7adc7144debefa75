using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Vivarium.Network.Dns;
using Vivarium.TestKit;

namespace Vivarium.Network.Tests;

/// <summary>The sandboxes' name server, over real sockets on loopback.</summary>
public sealed class DnsTests : IAsyncDisposable
{
    private readonly Socket server = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly DnsForwarder forwarder;

    public DnsTests()
    {
        server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _ = Task.Run(ServeAsync);
        forwarder = new DnsForwarder([IPAddress.Loopback], 0, "viv", new Book(), new NameServers([(IPEndPoint)server.LocalEndPoint!]), null);
    }


    [Theory, InlineData(false), InlineData(true)]
    public async Task Names_of_sandboxes_are_answered_here(bool tcp)
    {
        var answer = await AskAsync(Query("DB.viv", 1), tcp);
        Assert.Equal(0, answer[3] & 0xf);
        Assert.Equal([10, 213, 0, 9], answer[^4..]);
        Assert.Equal(16, BinaryPrimitives.ReadUInt16BigEndian((await AskAsync(Query("db.viv", 28), tcp)).AsSpan()[^18..]));
        Assert.Equal(3, (await AskAsync(Query("secret.viv", 1), tcp))[3] & 0xf);
        Assert.Equal(3, (await AskAsync(Query("viv", 1), tcp))[3] & 0xf);
        Assert.Equal(0, BinaryPrimitives.ReadUInt16BigEndian((await AskAsync(Query("db.viv", 15), tcp)).AsSpan(6))); // it exists, without mail
    }

    [Fact]
    public async Task Other_names_are_asked_of_the_servers_and_forged_answers_are_not_taken()
    {
        var answer = await AskAsync(Query("example.com", 1), tcp: false);
        Assert.Equal(0x4242, BinaryPrimitives.ReadUInt16BigEndian(answer));
        Assert.Equal([203, 0, 113, 80], answer[^4..]);
    }

    [Fact]
    public async Task Garbage_silence_and_cut_off_questions_hurt_nobody()
    {
        using var udp = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        var at = new IPEndPoint(IPAddress.Loopback, forwarder.Port);
        var random = new Random(1);
        for (var i = 0; i < 200; i++)
        {
            var noise = new byte[random.Next(0, 600)];
            random.NextBytes(noise);
            await udp.SendToAsync(noise, at);
        }

        var silent = new List<Socket>();
        for (var i = 0; i < 40; i++)
        {
            var tcp = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await tcp.ConnectAsync(at);
            await tcp.SendAsync(new byte[] { 0xff });
            silent.Add(tcp);
        }

        Assert.Equal([10, 213, 0, 9], (await AskAsync(Query("db.viv", 1), tcp: false))[^4..]);
        silent.ForEach(static s => s.Dispose());
    }

    [Fact]
    public void Questions_are_read_whatever_comes()
    {
        byte[][] samples = [Query("example.com", 1), Query(new string('a', 63) + ".viv", 28), Query("x", 255)];
        Fuzz.Bytes(samples, input =>
        {
            if (DnsQuestion.Parse(input) is { } question)
            {
                Assert.InRange(question.Length, 17, input.Length);
                question.Answer(input, DnsQuestion.NoError, [IPAddress.Loopback, IPAddress.IPv6Loopback], 5);
                question.IsAnsweredBy(input, question.Id);
            }
        }, static _ => false);
    }

    [Fact]
    public void Servers_come_from_resolv_conf()
    {
        Assert.Equal(["10.0.0.53", "fd00::53"], NameServers.Parse("# x\nsearch a\nnameserver 10.0.0.53\nnameserver\t fd00::53 \nnameserver nonsense\n").Select(s => s.Address.ToString()));
        Assert.Equal(5353, NameServers.ParseList("127.0.0.1:5353, 10.0.0.1")![0].Port);
        Assert.Null(NameServers.ParseList("example.com"));
    }

    public async ValueTask DisposeAsync()
    {
        await forwarder.DisposeAsync();
        server.Dispose();
    }

    private static byte[] Query(string name, ushort type)
    {
        var bytes = new List<byte> { 0x42, 0x42, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
        foreach (var label in name.Split('.'))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(label));
        }

        bytes.AddRange([0, (byte)(type >> 8), (byte)type, 0, 1]);
        return [.. bytes];
    }

    private async Task<byte[]> AskAsync(byte[] query, bool tcp)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var socket = new Socket(AddressFamily.InterNetwork, tcp ? SocketType.Stream : SocketType.Dgram, tcp ? ProtocolType.Tcp : ProtocolType.Udp);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, forwarder.Port), patience.Token);
        await socket.SendAsync(tcp ? [0, (byte)query.Length, .. query] : query, SocketFlags.None, patience.Token);
        var buffer = new byte[2000];
        var got = await socket.ReceiveAsync(buffer, SocketFlags.None, patience.Token);
        while (tcp && (got < 2 || got < 2 + BinaryPrimitives.ReadUInt16BigEndian(buffer)))
        {
            got += await socket.ReceiveAsync(buffer.AsMemory(got), SocketFlags.None, patience.Token);
        }

        return buffer[(tcp ? 2 : 0)..got];
    }

    /// <summary>A name server that first answers with a wrong number, then with the name of another question, then right.</summary>
    private async Task ServeAsync()
    {
        var buffer = new byte[2000];
        try
        {
            while (true)
            {
                var got = await server.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0));
                var query = buffer[..got.ReceivedBytes];
                if (DnsQuestion.Parse(query) is not { } question)
                {
                    continue;
                }

                var right = question.Answer(query, 0, [IPAddress.Parse("203.0.113.80")], 60);
                byte[] wrong = [.. right[..^1], 66];
                wrong[0] ^= 1;
                await server.SendToAsync(wrong, SocketFlags.None, got.RemoteEndPoint);
                var other = Query("example.org", 1);
                query.AsSpan(0, 2).CopyTo(other);
                await server.SendToAsync(DnsQuestion.Parse(other)!.Value.Answer(other, 0, [IPAddress.Parse("203.0.113.66")], 60), SocketFlags.None, got.RemoteEndPoint);
                await server.SendToAsync(right, SocketFlags.None, got.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // The test is over.
        }
    }

    private sealed class Book : IDnsDirectory
    {
        public (bool Known, bool Outside) Asker(IPAddress from) => (true, true);

        public IReadOnlyList<IPAddress>? Lookup(IPAddress asker, string name) => name == "db" ? [IPAddress.Parse("10.213.0.9"), IPAddress.Parse("fdc7::9")] : null;
    }
}
