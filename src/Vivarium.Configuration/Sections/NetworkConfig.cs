using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Sections;

/// <summary><c>[network]</c>: of sandboxes with network <c>nat</c>. Two daemons on one machine need different bridges, tables and pools.</summary>
public sealed record NetworkConfig
{
    /// <summary>Name of the bridge, at most six letters and digits.</summary>
    public string Bridge { get; init; } = "viv0";

    /// <summary>Name of our tables in nftables.</summary>
    public string Table { get; init; } = "vivarium";

    /// <summary>IPv4 addresses of sandboxes; the first is the host's.</summary>
    public string Pool4 { get; init; } = "10.213.0.0/16";

    /// <summary>IPv6 addresses of sandboxes; empty: none.</summary>
    public string Pool6 { get; init; } = "fdc7:6976:6172::/64";

    /// <summary>The only interface their packets may leave by; empty: as the host's routes say.</summary>
    public string Uplink { get; init; } = "";

    /// <summary>Routing table for their packets; 0: the main one.</summary>
    public int RouteTable { get; init; }

    /// <summary>Name servers the sandboxes' name server asks, separated by commas; empty: those of /etc/resolv.conf.</summary>
    public string Dns { get; init; } = "";

    /// <summary>Domain of the sandboxes' own names.</summary>
    public string Domain { get; init; } = "viv";

    /// <summary>Most bytes a second of one sandbox, each way; null: no limit.</summary>
    public ByteSize? Bandwidth { get; init; }

    /// <summary>Most open connections of one sandbox.</summary>
    public int Connections { get; init; } = 4096;
}
