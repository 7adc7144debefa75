using Vivarium.Network.Addressing;

namespace Vivarium.Network.Policy;

/// <summary>
/// Ranges that are not the public network. The documentation ranges (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32) are public here: networks of
/// laboratories and providers use them. Source: the IANA special-purpose address registries.
/// </summary>
public static class SpecialRanges
{
    /// <summary>Closed to every sandbox whatever its policy says: this host, link-local with the metadata address 169.254.169.254, multicast, broadcast.</summary>
    public static readonly IReadOnlyList<IpRange> Never =
    [
        IpRange.Parse("0.0.0.0/8"), IpRange.Parse("127.0.0.0/8"), IpRange.Parse("169.254.0.0/16"), IpRange.Parse("224.0.0.0/3"),
        IpRange.Parse("::/96"), IpRange.Mapped, IpRange.Parse("fe80::/10"), IpRange.Parse("ff00::/8"),
    ];

    /// <summary>
    /// Closed unless an allow rule opens them: private networks, carriers' shared ranges, test networks of equipment; in IPv6 also the ranges that carry IPv4 addresses
    /// inside (NAT64, 6to4, Teredo) and the metadata address some clouds have there (in fd00::/8). 168.63.129.16 is a public address that in one cloud is the host's
    /// own service for its machines, credentials among it.
    /// </summary>
    public static readonly IReadOnlyList<IpRange> Private =
    [
        IpRange.Parse("10.0.0.0/8"), IpRange.Parse("100.64.0.0/10"), IpRange.Parse("172.16.0.0/12"), IpRange.Parse("192.0.0.0/24"), IpRange.Parse("192.168.0.0/16"),
        IpRange.Parse("198.18.0.0/15"), IpRange.Parse("168.63.129.16"),
        IpRange.Parse("64:ff9b::/96"), IpRange.Parse("64:ff9b:1::/48"), IpRange.Parse("2001::/32"), IpRange.Parse("2002::/16"), IpRange.Parse("fc00::/7"), IpRange.Parse("fec0::/10"),
    ];
}
