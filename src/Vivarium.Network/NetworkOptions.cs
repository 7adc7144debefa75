using System.Net;
using Vivarium.Network.Addressing;

namespace Vivarium.Network;

/// <summary>The <c>[network]</c> section as the network needs it: checked, typed.</summary>
public sealed record NetworkOptions
{
    /// <summary>Name of the bridge, at most six characters; ports are named after it, so that several daemons never meet.</summary>
    public string Bridge { get; init; } = "viv0";

    /// <summary>Name of our tables in nftables.</summary>
    public string Table { get; init; } = "vivarium";

    /// <summary>IPv4 addresses of sandboxes; the first is the host's.</summary>
    public IpRange Pool4 { get; init; } = IpRange.Parse("10.213.0.0/16");

    /// <summary>IPv6 addresses; null: none.</summary>
    public IpRange? Pool6 { get; init; } = IpRange.Parse("fdc7:6976:6172::/64");

    /// <summary>The only interface sandboxes' packets may leave by; empty: whatever the host's routes say.</summary>
    public string Uplink { get; init; } = "";

    /// <summary>Routing table for packets of sandboxes; 0: the host's main one.</summary>
    public int RouteTable { get; init; }

    /// <summary>Name servers the forwarder asks; empty: those of the host's /etc/resolv.conf.</summary>
    public IReadOnlyList<IPEndPoint> Upstreams { get; init; } = [];

    /// <summary>Domain of the sandboxes' own names.</summary>
    public string Domain { get; init; } = "viv";

    /// <summary>Bandwidth of a sandbox that asks for none, bytes a second each way; null: no limit.</summary>
    public long? BytesPerSecond { get; init; }

    /// <summary>Open connections of a sandbox that asks for no number.</summary>
    public int Connections { get; init; } = 4096;

    /// <summary>What names of ports of the bridge begin with.</summary>
    public string PortPrefix => Bridge + "-";

    /// <summary>Name of a sandbox's interface on the host: the bridge's name and the beginning of the sandbox's id, so that a person sees whose it is.</summary>
    public string PortOf(string sandbox) => PortPrefix + sandbox[..(15 - PortPrefix.Length)];
}
