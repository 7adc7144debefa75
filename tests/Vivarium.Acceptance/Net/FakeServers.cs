using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Vivarium.Linux.Namespaces;

namespace Vivarium.Acceptance.Net;

/// <summary>Servers of these tests that stand in network namespaces: web pages, echoes of datagrams, a name server.</summary>
internal sealed class FakeServers : IDisposable
{
    private static readonly byte[] Megabyte = new byte[1 << 20];
    private readonly List<Socket> sockets = [];

    /// <summary>What the echoes received, each with its sender: <c>TEXT from ADDRESS</c>.</summary>
    public ConcurrentQueue<string> Datagrams { get; } = new();

    /// <summary>
    /// A web server. <c>GET /</c>: which address was asked and by whom. <c>/slow</c>: that and a number every tenth of a second for ever. <c>/down/N</c>: N bytes. <c>/up/N</c>: reads
    /// N bytes, then answers.
    /// </summary>
    public void Pages(string path, string address, int port) => Open(path, new IPEndPoint(IPAddress.Parse(address), port), SocketType.Stream, AcceptAsync);

    /// <summary>Sends each datagram back and remembers it.</summary>
    public void Echo(string path, string address, int port) => Open(path, new IPEndPoint(IPAddress.Parse(address), port), SocketType.Dgram, EchoAsync);

    /// <summary>A name server to which every name has these addresses.</summary>
    public void Names(string path, string address, string v4, string? v6 = null) =>
        Open(path, new IPEndPoint(IPAddress.Parse(address), 53), SocketType.Dgram, socket => AnswerNamesAsync(socket, IPAddress.Parse(v4), v6 is null ? null : IPAddress.Parse(v6)));

    public void Dispose() => sockets.ForEach(static s => s.Dispose());

    private void Open(string path, IPEndPoint at, SocketType type, Func<Socket, Task> serve)
    {
        var socket = NamespaceThread.In(path, NamespaceKinds.Network, () =>
        {
            var made = new Socket(at.AddressFamily, type, ProtocolType.Unspecified);
            if (at.AddressFamily == AddressFamily.InterNetworkV6)
            {
                made.DualMode = false;
            }

            made.Bind(at);
            if (type == SocketType.Stream)
            {
                made.Listen(512);
            }

            return made;
        });
        sockets.Add(socket);
        _ = Task.Run(() => serve(socket));
    }

    private static async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                _ = AnswerAsync(await listener.AcceptAsync());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static async Task AnswerAsync(Socket client)
    {
        try
        {
            using var open = client;
            var buffer = new byte[64 * 1024];
            var got = await client.ReceiveAsync(buffer);
            var request = Encoding.ASCII.GetString(buffer, 0, got);
            var body = request.Split("\r\n\r\n", 2);
            if (Number(request, "GET /up/") is { } upload)
            {
                for (var left = upload - (body.Length > 1 ? body[1].Length : 0); left > 0; left -= got)
                {
                    got = await client.ReceiveAsync(buffer);
                    if (got == 0)
                    {
                        return;
                    }
                }
            }

            var page = $"{((IPEndPoint)client.LocalEndPoint!).Address} saw {((IPEndPoint)client.RemoteEndPoint!).Address}\n";
            await client.SendAsync(Encoding.ASCII.GetBytes("HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" + page));
            for (var left = Number(request, "GET /down/") ?? 0; left > 0; left -= got)
            {
                got = await client.SendAsync(Megabyte.AsMemory(0, Math.Min(left, Megabyte.Length)));
            }

            for (var i = 0; request.StartsWith("GET /slow", StringComparison.Ordinal); i++)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
                await client.SendAsync(Encoding.ASCII.GetBytes($"{i}\n"));
            }

            client.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The sandbox is gone.
        }
    }

    private static int? Number(string request, string path) =>
        request.StartsWith(path, StringComparison.Ordinal) ? int.Parse(request[path.Length..].Split(' ')[0], CultureInfo.InvariantCulture) : null;

    private async Task EchoAsync(Socket socket)
    {
        var buffer = new byte[2000];
        var anybody = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        try
        {
            while (true)
            {
                var got = await socket.ReceiveFromAsync(buffer, SocketFlags.None, anybody);
                Datagrams.Enqueue($"{Encoding.Latin1.GetString(buffer, 0, got.ReceivedBytes)} from {((IPEndPoint)got.RemoteEndPoint).Address}");
                await socket.SendToAsync(buffer.AsMemory(0, got.ReceivedBytes), SocketFlags.None, got.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static async Task AnswerNamesAsync(Socket socket, IPAddress v4, IPAddress? v6)
    {
        var buffer = new byte[2000];
        try
        {
            while (true)
            {
                var got = await socket.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0));
                var query = buffer[..got.ReceivedBytes];
                var end = 12;
                while (query[end] != 0)
                {
                    end += query[end] + 1;
                }

                var answer = query[end + 2] switch { 1 => v4, 28 => v6, _ => null };
                byte[] head = [query[0], query[1], 0x81, 0x80, 0, 1, 0, (byte)(answer is null ? 0 : 1), 0, 0, 0, 0];
                byte[] record = answer is null ? [] : [0xc0, 12, 0, query[end + 2], 0, 1, 0, 0, 0, 60, 0, (byte)answer.GetAddressBytes().Length, .. answer.GetAddressBytes()];
                await socket.SendToAsync((byte[])[.. head, .. query[12..(end + 5)], .. record], SocketFlags.None, got.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IndexOutOfRangeException)
        {
            // The test is over.
        }
    }
}
