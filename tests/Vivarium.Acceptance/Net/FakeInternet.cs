using System.Globalization;
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

    private readonly FakeServers servers = new();
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

    /// <param name="number">Tells it from others of this machine.</param>
    /// <param name="serve">Starts servers of another kind in its namespace.</param>
    public static async Task<FakeInternet> MakeAsync(int number, Action<FakeServers, string>? serve = null)
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
        (serve ?? Serve)(internet.servers, internet.path);
        return internet;
    }

    public async ValueTask DisposeAsync()
    {
        servers.Dispose();
        await Tools.TryAsync("ip", "link", "delete", Uplink);
        await Tools.TryAsync("ip", "route", "flush", "table", Table.ToString(CultureInfo.InvariantCulture));
        await Tools.TryAsync("ip", "-6", "route", "flush", "table", Table.ToString(CultureInfo.InvariantCulture));
        NetworkNamespace.Remove(path);
    }

    public static void Serve(FakeServers servers, string path)
    {
        foreach (var address in Addresses)
        {
            servers.Pages(path, address, 80);
            servers.Pages(path, address, 8080);
        }

        servers.Names(path, Names, Web);
    }
}
