using System.Net;
using System.Net.Sockets;

namespace Vivarium.Network.Addressing;

/// <summary>The addresses of one sandbox.</summary>
/// <param name="V4">IPv4.</param>
/// <param name="V6">IPv6; null when the pool has none.</param>
public sealed record SandboxAddress(IPAddress V4, IPAddress? V6)
{
    /// <summary>Its hardware address, made from the IPv4 address: locally administered, so it can meet no maker's.</summary>
    public byte[] Mac => [0x02, 0x76, .. V4.GetAddressBytes()];

    /// <summary>The hardware address as text, <c>02:76:0a:00:00:02</c>.</summary>
    public string MacText => Text(Mac);

    /// <summary>The link-local IPv6 address a system makes of its hardware address by itself. Source: RFC 4291, appendix A.</summary>
    public IPAddress LinkLocal
    {
        get
        {
            var mac = Mac;
            return new IPAddress([0xfe, 0x80, 0, 0, 0, 0, 0, 0, (byte)(mac[0] ^ 2), mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]]);
        }
    }

    /// <summary>Reads what was stored; null when it is damaged.</summary>
    public static SandboxAddress? TryParse(string v4, string? v6) =>
        IPAddress.TryParse(v4, out var four) && four.AddressFamily == AddressFamily.InterNetwork && (v6 is null || (IPAddress.TryParse(v6, out var six) && six.AddressFamily == AddressFamily.InterNetworkV6))
            ? new SandboxAddress(four, v6 is null ? null : IPAddress.Parse(v6))
            : null;

    internal static string Text(byte[] mac) => string.Join(':', mac.Select(static b => b.ToString("x2", System.Globalization.CultureInfo.InvariantCulture)));
}
