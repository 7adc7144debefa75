using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Vivarium.Network.Addressing;

/// <summary>A range of IP addresses, <c>10.0.0.0/8</c> or <c>fd00::/8</c>; one address is a range with the longest prefix.</summary>
public readonly record struct IpRange
{
    private IpRange(IPAddress first, int prefix)
    {
        First = first;
        Prefix = prefix;
    }

    /// <summary>Its first address.</summary>
    public IPAddress First { get; }

    /// <summary>Bits all its addresses share.</summary>
    public int Prefix { get; }

    /// <summary>Whether it is of IPv6.</summary>
    public bool IsV6 => First.AddressFamily == AddressFamily.InterNetworkV6;

    /// <summary>Bits of an address of its family.</summary>
    public int Bits => IsV6 ? 128 : 32;

    /// <summary>Reads an address or a range; a range whose host bits are not zero is refused, because it is a mistake more often than not.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out IpRange? range)
    {
        range = null;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var address = slash < 0 ? text : text[..slash];
        // IPAddress takes old forms such as "10.1" and "0x0a000001" and zones; none of them is wanted here.
        if (address.Length > 45 || !IPAddress.TryParse(address, out var first) || address.Contains('%', StringComparison.Ordinal)
            || (first.AddressFamily == AddressFamily.InterNetwork && first.ToString() != address))
        {
            return false;
        }

        var bits = first.AddressFamily == AddressFamily.InterNetworkV6 ? 128 : 32;
        var prefix = bits;
        if (slash >= 0 && (!int.TryParse(text[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out prefix) || prefix > bits))
        {
            return false;
        }

        var parsed = new IpRange(first, prefix);
        if (first.IsIPv4MappedToIPv6 || !parsed.Mask(first).Equals(first))
        {
            return false;
        }

        range = parsed;
        return true;
    }

    /// <summary>Reads a range that is known to be right.</summary>
    public static IpRange Parse(string text) => TryParse(text, out var range) ? range.Value : throw new FormatException($"'{text}' is no range of addresses");

    /// <summary>IPv4 addresses written as IPv6 ones, <c>::ffff:0:0/96</c>: a range to refuse, never one to ask for.</summary>
    internal static IpRange Mapped { get; } = new(IPAddress.Any.MapToIPv6(), 96);

    /// <summary>Whether an address is in it.</summary>
    public bool Contains(IPAddress address) => address.AddressFamily == First.AddressFamily && Mask(address).Equals(First);

    /// <summary>Whether the two have an address in common.</summary>
    public bool Overlaps(IpRange other) => Contains(other.First) || other.Contains(First);

    /// <summary>The address so many after the first; only the last 31 bits are counted.</summary>
    public IPAddress At(int offset)
    {
        var bytes = First.GetAddressBytes();
        for (var i = bytes.Length - 1; offset > 0 && i >= 0; i--)
        {
            offset += bytes[i];
            bytes[i] = (byte)offset;
            offset >>= 8;
        }

        return new IPAddress(bytes);
    }

    /// <inheritdoc/>
    public override string ToString() => Prefix == Bits ? First.ToString() : string.Create(CultureInfo.InvariantCulture, $"{First}/{Prefix}");

    private IPAddress Mask(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        for (var i = 0; i < bytes.Length; i++)
        {
            var kept = Math.Clamp(Prefix - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xff << (8 - kept));
        }

        return new IPAddress(bytes);
    }
}
