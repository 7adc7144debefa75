using Vivarium.Acceptance.Harness;
using Vivarium.Linux.Namespaces;

namespace Vivarium.Acceptance.Net;

/// <summary>
/// Two network namespaces: one that a daemon runs in as if it were a machine, with addresses, services and a translating rule of its own, and one for everything beyond its default
/// route, where every address a test names answers, public or not. So whatever is unreachable from a sandbox is so because of a rule: the host reaches it.
/// </summary>
internal sealed class FakeHost : IAsyncDisposable
{
    /// <summary>The host's own addresses; web pages on port 80 of each.</summary>
    public static readonly string[] Own = ["203.0.113.2", "172.17.0.1", "192.168.77.1", "2001:db8:113::2", "fd77::1"];

    /// <summary>Port on which the host's own rules lead on to <see cref="Inner"/>, as a container engine does.</summary>
    public const int TranslatedPort = 8081;

    public const string Inner = "10.99.0.80";

    /// <summary>The name server the host uses: on a private address, as in most networks.</summary>
    public const string NameServer = "10.99.0.53";

    public const string Web = "203.0.113.80";
    public const string Web6 = "2001:db8:113::80";

    /// <summary>Addresses beyond the host that everybody may reach: documentation ranges among them, and the neighbours of private ranges.</summary>
    public static readonly string[] Public =
    [
        Web, "203.0.113.81", "192.0.2.80", "198.51.100.80", "9.9.9.80", "11.0.0.80", "100.63.255.80", "100.128.0.80", "169.253.255.80", "172.15.255.80", "172.32.0.80", "192.0.1.80",
        "192.167.255.80", "192.169.0.80", "198.17.255.80", "198.20.0.80", "223.255.255.80", Web6, "2606:4700::80", "2001:1::80", "2003::80", "64:ff9c::80",
    ];

    /// <summary>Addresses beyond the host that are closed unless a rule opens them, most of them metadata services or the edges of private ranges.</summary>
    public static readonly string[] Closed =
    [
        "10.0.0.80", Inner, "10.99.0.81", "10.255.255.80", "100.64.0.80", "100.100.100.200", "100.127.255.80", "168.63.129.16", "172.16.0.80", "172.31.255.80", "192.0.0.192",
        "192.168.0.80", "192.168.255.80", "198.18.0.80", "198.19.255.80",
        "fd00:ec2::254", "fd20:ce::254", "fc00::80", "fdff::80", "fec0::80", "64:ff9b::a63:50", "64:ff9b:1::80", "2001::80", "2002:a63:50::80",
    ];

    /// <summary>Addresses beyond the host that no rule can open.</summary>
    public static readonly string[] Never = ["169.254.169.254", "169.254.170.2", "240.0.0.80", "0.1.2.3", "::a63:50"];

    private readonly string directory;

    private FakeHost(string directory) => this.directory = directory;

    /// <summary>The namespace of the daemon.</summary>
    public string Host => Path.Combine(directory, "host");

    public FakeServers Servers { get; } = new();

    private string World => Path.Combine(directory, "world");

    public static async Task<FakeHost> MakeAsync()
    {
        var made = new FakeHost(Directory.CreateTempSubdirectory("fh.").FullName);
        try
        {
            NetworkNamespace.Create(made.Host);
            NetworkNamespace.Create(made.World);
            await made.ConnectAsync();
            made.Serve();
            return made;
        }
        catch
        {
            await made.DisposeAsync();
            throw;
        }
    }

    /// <summary>The rules that are the host's own, as they stand.</summary>
    public async Task<string> OwnRulesAsync() => (await Tools.RunAsync("nsenter", $"--net={Host}", "nft", "-s", "list", "table", "ip", "own")).StdoutText;

    public ValueTask DisposeAsync()
    {
        Servers.Dispose();
        foreach (var path in new[] { World, Host }.Where(File.Exists))
        {
            NetworkNamespace.Remove(path);
        }

        Directory.Delete(directory);
        return ValueTask.CompletedTask;
    }

    private async Task ConnectAsync()
    {
        await Tools.ShAsync($"""
            nsenter --net={Host} sh -ec '
              ip link add up0 type veth peer name in0
              ip link set in0 netns {World}
              ip address add 203.0.113.2/32 dev up0
              ip address add 2001:db8:113::2/128 dev up0 nodad
              ip address add fe80::2/64 dev up0 nodad
              ip link add lan0 type bridge
              ip address add 192.168.77.1/24 dev lan0
              ip address add fd77::1/64 dev lan0 nodad
              ip link add docker0 type bridge
              ip address add 172.17.0.1/16 dev docker0
              for link in up0 lan0 docker0; do ip link set $link up; done
              ip route add default via 203.0.113.1 dev up0 onlink
              ip -6 route add default via fe80::1 dev up0
              nft "add table ip own; add chain ip own pre {"{"} type nat hook prerouting priority dstnat; {"}"}; add rule ip own pre ip daddr 203.0.113.2 tcp dport {TranslatedPort} dnat to {Inner}:80"
            '
            nsenter --net={World} sh -ec '
              ip address add 203.0.113.1/32 dev in0
              ip address add fe80::1/64 dev in0 nodad
              ip link set in0 up
              ip route add 203.0.113.2 dev in0
              ip route add default via 203.0.113.2 dev in0 onlink
              ip -6 route add default via fe80::2 dev in0
              for address in {string.Join(' ', (string[])[.. Public, .. Closed, .. Never, NameServer])}; do ip address add $address dev lo; done
            '
            """);
    }

    private void Serve()
    {
        foreach (var path in (string[])[Host, World])
        {
            Servers.Pages(path, "0.0.0.0", 80);
            Servers.Pages(path, "::", 80);
            Servers.Pages(path, "0.0.0.0", 8080);
        }

        foreach (var address in (string[])[.. Public, .. Closed, .. Never])
        {
            Servers.Echo(World, address, 80);
        }

        foreach (var address in Own)
        {
            Servers.Echo(Host, address, 80);
        }

        Servers.Names(World, NameServer, Web, Web6);
    }
}
