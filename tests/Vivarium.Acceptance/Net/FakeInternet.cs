using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Vivarium.Acceptance.Harness;
using Vivarium.Linux.Namespaces;

namespace Vivarium.Acceptance.Net;

/// <summary>
/// A network namespace that stands for everything beyond the host: a web server on a few public, private and special addresses, and a name server. The private daemon's sandboxes
/// are routed into it by a routing table of their own, so nothing of the machine's real network is used or changed.
/// </summary>
internal sealed class FakeInternet : IAsyncDisposable
{
    public const string Web = "203.0.113.80";
    public const string OtherWeb = "198.51.100.80";
    public const string Names = "203.0.113.53";
    public const string Private = "10.99.0.80";
    public const string Metadata = "169.254.169.254";
    public const string Web6 = "2001:db8:113::80";
    private static readonly string[] Addresses = [Web, OtherWeb, Names, Private, Metadata, Web6];

    private readonly List<Socket> sockets = [];
    private readonly string path;

    private FakeInternet(int number)
    {
        Table = 100_000 + (number % 1_000_000);
        Uplink = "u" + (number % 1_048_576).ToString("x5", CultureInfo.InvariantCulture);
        path = Path.Combine(Path.GetTempPath(), Uplink);
    }

    /// <summary>The host's interface into it.</summary>
    public string Uplink { get; }

    /// <summary>The routing table that leads into it.</summary>
    public int Table { get; }

    /// <summary>Where packets of sandboxes come from, seen from inside.</summary>
    public string SeenAs => "198.18.0.1";

    public static async Task<FakeInternet> MakeAsync(int number)
    {
        var internet = new FakeInternet(number);
        NetworkNamespace.Create(internet.path);
        var (uplink, inside) = (internet.Uplink, "i" + internet.Uplink[1..]);
        await Tools.ShAsync($"""
            ip link add {uplink} type veth peer name {inside}
            ip address add 198.18.0.1/30 dev {uplink} noprefixroute
            ip address add fd18::1/64 dev {uplink} noprefixroute nodad
            ip link set {uplink} up
            ip link set {inside} netns {internet.path}
            nsenter --net={internet.path} sh -ec '
              ip address add 198.18.0.2/30 dev {inside}
              ip address add fd18::2/64 dev {inside} nodad
              ip link set {inside} up
              for address in {string.Join(' ', Addresses)}; do ip address add "$address" dev lo; done
            '
            ip route add 198.18.0.2 dev {uplink} table {internet.Table}
            ip route add default via 198.18.0.2 dev {uplink} onlink table {internet.Table}
            ip -6 route add default via fd18::2 dev {uplink} onlink table {internet.Table}
            """);
        internet.Serve();
        return internet;
    }

    public async ValueTask DisposeAsync()
    {
        sockets.ForEach(static s => s.Dispose());
        await Tools.TryAsync("ip", "link", "delete", Uplink);
        await Tools.TryAsync("ip", "route", "flush", "table", Table.ToString(CultureInfo.InvariantCulture));
        await Tools.TryAsync("ip", "-6", "route", "flush", "table", Table.ToString(CultureInfo.InvariantCulture));
        NetworkNamespace.Remove(path);
    }

    private void Serve()
    {
        NamespaceThread.In(path, NamespaceKinds.Network, () =>
        {
            foreach (var address in Addresses.Select(IPAddress.Parse))
            {
                foreach (var port in (int[])[80, 8080])
                {
                    var listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                    listener.Bind(new IPEndPoint(address, port));
                    listener.Listen(64);
                    sockets.Add(listener);
                }
            }

            var names = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            names.Bind(new IPEndPoint(IPAddress.Parse(Names), 53));
            sockets.Add(names);
            return true;
        });
        foreach (var socket in sockets)
        {
            _ = Task.Run(() => socket.SocketType == SocketType.Dgram ? AnswerNamesAsync(socket) : AcceptAsync(socket));
        }
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

    /// <summary>Port 80: a page that says which address was asked and by whom. <c>GET /slow</c>: a number every tenth of a second for ever.</summary>
    private static async Task AnswerAsync(Socket client)
    {
        try
        {
            using var open = client;
            var buffer = new byte[4096];
            var request = Encoding.ASCII.GetString(buffer, 0, await client.ReceiveAsync(buffer));
            var page = $"{((IPEndPoint)client.LocalEndPoint!).Address} saw {((IPEndPoint)client.RemoteEndPoint!).Address}\n";
            await client.SendAsync(Encoding.ASCII.GetBytes("HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" + page));
            for (var i = 0; request.Contains("/slow", StringComparison.Ordinal); i++)
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

    /// <summary>Every name has the web server's address.</summary>
    private static async Task AnswerNamesAsync(Socket socket)
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

                var isV4 = query[end + 2] == 1;
                byte[] head = [query[0], query[1], 0x81, 0x80, 0, 1, 0, (byte)(isV4 ? 1 : 0), 0, 0, 0, 0];
                byte[] record = isV4 ? [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, .. IPAddress.Parse(Web).GetAddressBytes()] : [];
                await socket.SendToAsync((byte[])[.. head, .. query[12..(end + 5)], .. record], SocketFlags.None, got.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IndexOutOfRangeException)
        {
            // The test is over.
        }
    }
}
