using System.Net;
using Vivarium.Network.Addressing;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Network.Policy;

/// <summary>
/// What one sandbox may reach, checked. In order: never (<see cref="SpecialRanges.Never"/>), the allow list, the deny list, private ranges and other sandboxes
/// (closed), everything else (as <see cref="AllowsRest"/> says).
/// </summary>
/// <param name="AllowsRest">Whether the public network is open.</param>
/// <param name="Allow">Exceptions that are open.</param>
/// <param name="Deny">Exceptions that are closed.</param>
/// <param name="BytesPerSecond">Most bytes a second, each way; null: no limit.</param>
/// <param name="Connections">Most open connections.</param>
/// <param name="Dns">Whether names outside the sandboxes' own domain are resolved.</param>
public sealed record NetworkPolicy(
    bool AllowsRest, IReadOnlyList<PolicyRule> Allow, IReadOnlyList<PolicyRule> Deny, long? BytesPerSecond, int Connections, bool Dns)
{
    private const int MostRules = 256;
    private const long LeastBandwidth = 16 * 1024;
    private const long MostBandwidth = 1L << 37;

    /// <summary>Checks a policy as a caller gave it, filled up with the configuration's defaults.</summary>
    /// <exception cref="VivariumException">What of it is wrong or cannot be enforced, by name.</exception>
    public static NetworkPolicy Parse(NetworkPolicySpec? spec, NetworkOptions options)
    {
        var allow = Rules("allow", spec?.Allow, options);
        var deny = Rules("deny", spec?.Deny, options);
        if (deny.FirstOrDefault(static r => r.Peer is not null) is { } peer)
        {
            throw Bad($"the deny list names the sandbox {peer.Peer}: other sandboxes are closed unless the allow list opens them", "Leave it out of the deny list.", "bad_rule");
        }

        foreach (var range in allow.SelectMany(static r => r.Ranges))
        {
            if (SpecialRanges.Never.FirstOrDefault(n => n.Contains(range.First) && n.Prefix <= range.Prefix) is { Prefix: > 0 } never)
            {
                throw Bad($"the allow list opens {range}, which is in {never}: that range stays closed to every sandbox", "Leave it out.", "never_allowed");
            }
        }

        var bandwidth = spec?.BandwidthBytes ?? options.BytesPerSecond;
        if (bandwidth is { } bytes and not 0 && bytes is < LeastBandwidth or > MostBandwidth)
        {
            throw Bad($"a bandwidth of {bandwidth} bytes a second is out of range", "Give at least 16KiB, or 0 for no limit.", "bad_bandwidth");
        }

        var connections = spec?.Connections ?? options.Connections;
        return new NetworkPolicy(
            spec?.Default switch
            {
                null or "allow" => true,
                "deny" => false,
                _ => throw Bad($"the default of the network policy is '{spec.Default}'", "Use allow or deny.", "bad_policy"),
            },
            allow,
            deny,
            bandwidth is 0 ? null : bandwidth,
            connections is > 0 and <= 1_000_000 ? connections : throw Bad($"a limit of {connections} connections is out of range", "Give 1 to 1000000.", "bad_connections"),
            spec?.Dns ?? true);
    }

    /// <summary>Two policies are the same when they say the same.</summary>
    public bool Equals(NetworkPolicy? other) =>
        other is not null && (AllowsRest, BytesPerSecond, Connections, Dns) == (other.AllowsRest, other.BytesPerSecond, other.Connections, other.Dns)
        && Allow.SequenceEqual(other.Allow) && Deny.SequenceEqual(other.Deny);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(AllowsRest, BytesPerSecond, Connections, Dns, Allow.Count, Deny.Count);

    /// <summary>Whether the shared rules say all of it.</summary>
    public bool IsCommon(NetworkOptions options) =>
        AllowsRest && Allow.Count == 0 && Deny.Count == 0 && BytesPerSecond is null && Connections == options.Connections;

    /// <summary>Names of the sandboxes it opens.</summary>
    public IEnumerable<string> Peers => Allow.Select(static r => r.Peer).OfType<string>().Distinct(StringComparer.Ordinal);

    /// <summary>What the rules in the kernel decide about a packet, decided here: for flows that are open when the policy changes, and for tests.</summary>
    public bool Allows(IPAddress to, byte protocol, int? port, IpRange pool4, IpRange? pool6, Func<string, SandboxAddress?> peers) =>
        !SpecialRanges.Never.Any(r => r.Contains(to))
        && (Allow.Any(r => r.Fits(to, protocol, port, peers))
            || (!Deny.Any(r => r.Fits(to, protocol, port, peers))
                && !SpecialRanges.Private.Any(r => r.Contains(to)) && !pool4.Contains(to) && pool6?.Contains(to) != true
                && AllowsRest));

    private static List<PolicyRule> Rules(string list, IReadOnlyList<string>? texts, NetworkOptions options) =>
        texts is { Count: > MostRules }
            ? throw Bad($"the {list} list has {texts.Count} rules", $"Use at most {MostRules}; ranges can stand for many addresses.", "too_many_rules")
            : [.. (texts ?? []).Select(t => PolicyRule.Parse(t ?? "", options.Domain))];

    private static VivariumException Bad(string what, string hint, string reason) => new(ErrorCode.InvalidArgument, what, hint, reason);
}
