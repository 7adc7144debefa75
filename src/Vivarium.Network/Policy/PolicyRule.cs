using System.Globalization;
using System.Net;
using Vivarium.Network.Addressing;
using Vivarium.Wire.Errors;

namespace Vivarium.Network.Policy;

/// <summary>
/// One line of an allow or deny list: a range of addresses or another sandbox, all of it or some ports. Forms: <c>10.0.0.0/8</c>, <c>10.1.2.3:443</c>,
/// <c>[fd00::1]:8000-8080</c>, <c>fd00::/8</c>, <c>all</c>, <c>all:443</c>, <c>NAME.viv</c>, <c>NAME.viv:80</c>. With a port it means TCP and UDP, without one every protocol.
/// </summary>
/// <param name="Ranges">The ranges; <c>all</c> has one of each family, a sandbox none.</param>
/// <param name="Peer">Name of another sandbox.</param>
/// <param name="Ports">First and last port; null: everything.</param>
public sealed record PolicyRule(IReadOnlyList<IpRange> Ranges, string? Peer, (int First, int Last)? Ports)
{
    private const int MostCharacters = 120;
    private static readonly IpRange[] Everywhere = [IpRange.Parse("0.0.0.0/0"), IpRange.Parse("::/0")];

    /// <summary>Reads one rule.</summary>
    /// <param name="text">The rule.</param>
    /// <param name="domain">Domain of sandboxes, <c>viv</c>.</param>
    /// <exception cref="VivariumException">invalid_argument <c>bad_rule</c>; unimplemented <c>host_rules_not_built</c> for a host name.</exception>
    public static PolicyRule Parse(string text, string domain)
    {
        if (text.Length is 0 or > MostCharacters)
        {
            throw Bad(text);
        }

        var (host, port) = Split(text);
        var ports = port is null ? ((int, int)?)null : ParsePorts(port) ?? throw Bad(text);
        if (host == "all")
        {
            return new PolicyRule(Everywhere, null, ports);
        }

        if (IpRange.TryParse(host, out var range))
        {
            return new PolicyRule([range.Value], null, ports);
        }

        if (host.EndsWith("." + domain, StringComparison.Ordinal) && IsLabel(host[..^(domain.Length + 1)]))
        {
            return new PolicyRule([], host[..^(domain.Length + 1)], ports);
        }

        if (host.All(static c => char.IsAsciiDigit(c) || c is '.' or '/' or ':') || !host.TrimStart('*', '.').Split('.').All(IsLabel))
        {
            throw Bad(text);
        }

        throw new VivariumException(
            ErrorCode.Unimplemented,
            $"the network rule '{text}' names a host: rules by host name are not built yet, so it could not be enforced",
            "Give an address or a range such as 203.0.113.0/24:443.",
            "host_rules_not_built");
    }

    /// <summary>Two rules are the same when they say the same.</summary>
    public bool Equals(PolicyRule? other) => other is not null && Peer == other.Peer && Ports == other.Ports && Ranges.SequenceEqual(other.Ranges);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Peer, Ports, Ranges.Count);

    /// <summary>Whether it speaks of a packet to this address.</summary>
    public bool Fits(IPAddress to, byte protocol, int? port, Func<string, SandboxAddress?> peers)
    {
        if (Ports is { } ports && (protocol is not (6 or 17) || port < ports.First || port > ports.Last || port is null))
        {
            return false;
        }

        return Peer is null ? Ranges.Any(r => r.Contains(to)) : peers(Peer) is { } peer && (to.Equals(peer.V4) || to.Equals(peer.V6));
    }

    private static (string Host, string? Port) Split(string text)
    {
        if (text[0] == '[')
        {
            var close = text.IndexOf(']', StringComparison.Ordinal);
            return close < 0 || (close + 1 < text.Length && text[close + 1] != ':') ? throw Bad(text)
                : (text[1..close], close + 1 < text.Length ? text[(close + 2)..] : null);
        }

        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 || colon != text.LastIndexOf(':') ? (text, null) : (text[..colon], text[(colon + 1)..]);
    }

    private static (int First, int Last)? ParsePorts(string text)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        var first = Port(dash < 0 ? text : text[..dash]);
        var last = dash < 0 ? first : Port(text[(dash + 1)..]);
        return first is { } f && last is { } l && f <= l ? (f, l) : null;
    }

    private static int? Port(string text) =>
        text.Length <= 5 && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= 65535 ? port : null;

    private static bool IsLabel(string text) =>
        text.Length is > 0 and <= 63 && text[0] != '-' && text[^1] != '-' && text.All(static c => char.IsAsciiLetterOrDigit(c) || c == '-');

    private static VivariumException Bad(string text) => new(
        ErrorCode.InvalidArgument,
        $"the network rule '{(text.Length > MostCharacters ? text[..MostCharacters] + "…" : text)}' is malformed",
        "Give an address or range with or without ports: 10.0.0.0/8, 10.1.2.3:443, [fd00::1]:80-90, all, NAME.viv.",
        "bad_rule");
}
