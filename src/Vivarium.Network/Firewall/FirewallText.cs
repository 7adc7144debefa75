using System.Globalization;
using System.Text;
using Vivarium.Network.Addressing;
using Vivarium.Network.Policy;

namespace Vivarium.Network.Firewall;

/// <summary>
/// The rules as text for <c>nft -f</c>: each method is one transaction, applied whole or not at all. Two tables, both ours: <c>inet</c> filters and translates what
/// is routed, <c>bridge</c> pins each port to its sandbox's addresses. Every packet of a sandbox is looked at, not only the first of a flow, so a changed policy holds
/// for flows that are open. Source: nft(8).
/// </summary>
/// <remarks>
/// A transaction changes all rules at one instant, but a packet that is being looked at in that instant still meets the rules of before and already the sets and maps
/// of after. So that none slips through: a table that is there is filled anew, never made anew (two hooks would be asked, one after the other); ranges are rules, not
/// interval sets, which the kernel fills a little after that instant; and a sandbox's chain is jumped to, so that one met empty leads back to a drop.
/// </remarks>
internal sealed class FirewallText(NetworkOptions options)
{
    private static readonly string[] Sets = ["connections4", "connections6"];
    private static readonly string[] Maps = ["policy4", "policy6", "up4", "up6", "down4", "down6"];
    private static readonly string[] Pinned = ["pin4", "pin6"];

    private readonly SandboxAddress gateway = new AddressPool(options.Pool4, options.Pool6).Gateway;

    private string Inet => "inet " + options.Table;

    private string Bridge => "bridge " + options.Table;

    /// <summary>Replaces everything of ours by the rules for these sandboxes.</summary>
    /// <param name="sandboxes">All there are.</param>
    /// <param name="peers">Addresses of sandboxes by name.</param>
    /// <param name="chains">Chains of the routed table that is there now: those of sandboxes that are gone are removed.</param>
    public string Whole(IReadOnlyCollection<SandboxNetwork> sandboxes, Func<string, SandboxAddress?> peers, IEnumerable<string> chains)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $$"""
            table {{Inet}} { }
            flush table {{Inet}}
            table {{Bridge}} { }
            flush table {{Bridge}}
            table {{Inet}} {
              set connections4 { type ipv4_addr; size 65535; flags dynamic; }
              set connections6 { type ipv6_addr; size 65535; flags dynamic; }
              map policy4 { type ipv4_addr : verdict; }
              map policy6 { type ipv6_addr : verdict; }
              map up4 { type ipv4_addr : verdict; }
              map up6 { type ipv6_addr : verdict; }
              map down4 { type ipv4_addr : verdict; }
              map down6 { type ipv6_addr : verdict; }

              chain refuse {
                meta l4proto tcp reject with tcp reset
                reject with icmpx admin-prohibited
              }
              chain never4 {{{Refuse(SpecialRanges.Never, v6: false)}}
              }
              chain never6 {{{Refuse(SpecialRanges.Never, v6: true)}}
              }
              chain private4 {{{Refuse([.. SpecialRanges.Private, options.Pool4], v6: false)}}
              }
              chain private6 {{{Refuse([.. SpecialRanges.Private, .. Optional(options.Pool6)], v6: true)}}
              }
              chain private {
                meta nfproto ipv4 jump private4
                meta nfproto ipv6 jump private6
                oifname "{{options.Bridge}}" goto refuse
              }
              chain public {
                ct state new add @connections4 { ip saddr ct count over {{options.Connections}} } goto refuse
                ct state new add @connections6 { ip6 saddr ct count over {{options.Connections}} } goto refuse
                jump private
                accept
              }
              chain egress {
                ip saddr vmap @up4
                ip6 saddr vmap @up6
                meta nfproto ipv4 jump never4
                meta nfproto ipv6 jump never6
                ct state invalid drop comment "would leave untranslated"
                ct direction reply ct state established,related accept
                {{Leaves()}}
                ip saddr vmap @policy4
                ip6 saddr vmap @policy6
                drop
              }
              chain ingress {
                ip daddr vmap @down4
                ip6 daddr vmap @down6
                ct direction reply ct state established,related accept
                drop
              }
              chain host {
                ct direction reply ct state established,related accept
                ip daddr {{gateway.V4}} udp dport 53 accept
                ip daddr {{gateway.V4}} tcp dport 53 accept
                {{Gateway6()}}
                goto refuse
              }
              chain input { type filter hook input priority filter - 10; policy accept; iifname "{{options.Bridge}}" goto host; }
              chain forward {
                type filter hook forward priority filter - 10; policy accept;
                iifname "{{options.Bridge}}" goto egress
                oifname "{{options.Bridge}}" goto ingress
              }
              chain postrouting {
                type nat hook postrouting priority srcnat; policy accept;
                ip saddr {{options.Pool4}} oifname != "{{options.Bridge}}" masquerade fully-random
                {{Masquerade6()}}
              }
            }
            table {{Bridge}} {
              set pin4 { typeof iifname . ether saddr . ip saddr; }
              set pin6 { typeof iifname . ether saddr . ip6 saddr; }
              chain port {
                ether type arp iifname . ether saddr . arp saddr ip @pin4 iifname . arp saddr ether . arp saddr ip @pin4 accept
                ether type ip iifname . ether saddr . ip saddr @pin4 accept
                ether type ip6 icmpv6 type { nd-router-advert, nd-router-solicit, nd-redirect } drop
                ether type ip6 iifname . ether saddr . ip6 saddr @pin6 accept
                drop
              }
              chain prerouting { type filter hook prerouting priority -300; policy accept; iifname "{{options.PortPrefix}}*" goto port; }
            }

            """);
        foreach (var filled in (string[])[.. Sets.Select(s => $"set {Inet} {s}"), .. Maps.Select(m => $"map {Inet} {m}"), .. Pinned.Select(p => $"set {Bridge} {p}")])
        {
            text.Append(CultureInfo.InvariantCulture, $"flush {filled}\n");
        }

        foreach (var sandbox in sandboxes)
        {
            text.Append(Open(sandbox, peers));
        }

        var own = sandboxes.SelectMany(ChainsOf).ToHashSet(StringComparer.Ordinal);
        foreach (var chain in chains.Where(c => !own.Contains(c) && IsSandboxes(c)))
        {
            text.Append(CultureInfo.InvariantCulture, $"delete chain {Inet} {chain}\n");
        }

        return text.ToString();
    }

    /// <summary>Adds a sandbox.</summary>
    public string Open(SandboxNetwork sandbox, Func<string, SandboxAddress?> peers)
    {
        var text = new StringBuilder();
        foreach (var pin in Pins(sandbox))
        {
            text.Append(CultureInfo.InvariantCulture, $"add element {Bridge} {pin}\n");
        }

        AddPolicy(text, sandbox, peers);
        return text.ToString();
    }

    /// <summary>Takes a sandbox away.</summary>
    public string Close(SandboxNetwork sandbox)
    {
        var text = new StringBuilder();
        RemovePolicy(text, sandbox);
        foreach (var pin in Pins(sandbox))
        {
            text.Append(CultureInfo.InvariantCulture, $"delete element {Bridge} {pin}\n");
        }

        return text.ToString();
    }

    /// <summary>Puts one policy in the place of another, without an instant of neither.</summary>
    public string Change(SandboxNetwork before, SandboxNetwork after, Func<string, SandboxAddress?> peers)
    {
        var text = new StringBuilder();
        RemovePolicy(text, before);
        AddPolicy(text, after, peers);
        return text.ToString();
    }

    /// <summary>Removes both tables.</summary>
    public string Remove() => $"table {Inet} {{ }}\ndelete table {Inet}\ntable {Bridge} {{ }}\ndelete table {Bridge}\n";

    private static IEnumerable<IpRange> Optional(IpRange? range) => range is { } one ? [one] : [];

    private static string Refuse(IEnumerable<IpRange> ranges, bool v6) =>
        string.Concat(ranges.Where(r => r.IsV6 == v6).Select(r => $"\n    {(v6 ? "ip6" : "ip")} daddr {r} goto refuse"));

    private static bool IsSandboxes(string chain) => chain.StartsWith("s_", StringComparison.Ordinal) || chain.StartsWith("up_", StringComparison.Ordinal) || chain.StartsWith("down_", StringComparison.Ordinal);

    /// <summary>The chains that are this sandbox's alone.</summary>
    private IEnumerable<string> ChainsOf(SandboxNetwork sandbox)
    {
        if (sandbox.Policy.BytesPerSecond is not null)
        {
            yield return "up_" + sandbox.Id;
            yield return "down_" + sandbox.Id;
        }

        if (!sandbox.Policy.IsCommon(options))
        {
            yield return "s_" + sandbox.Id;
        }
    }

    private IEnumerable<string> Pins(SandboxNetwork sandbox)
    {
        var port = options.PortOf(sandbox.Id);
        var address = sandbox.Address;
        yield return $"pin4 {{ \"{port}\" . {address.MacText} . {address.V4} }}";
        if (address.V6 is not null)
        {
            yield return $"pin6 {{ \"{port}\" . {address.MacText} . {address.V6} }}";
            yield return $"pin6 {{ \"{port}\" . {address.MacText} . {address.LinkLocal} }}";
        }
    }

    private string Leaves() => options.Uplink.Length == 0 ? "" : $"oifname != {{ \"{options.Uplink}\", \"{options.Bridge}\" }} goto refuse";

    private string Gateway6() => gateway.V6 is null ? "" : $"""
        ip6 daddr {gateway.V6} udp dport 53 accept
                ip6 daddr {gateway.V6} tcp dport 53 accept
                icmpv6 type {"{"} nd-neighbor-solicit, nd-neighbor-advert {"}"} accept
        """;

    private string Masquerade6() => options.Pool6 is null ? "" : $"ip6 saddr {options.Pool6} oifname != \"{options.Bridge}\" masquerade fully-random";

    private void AddPolicy(StringBuilder text, SandboxNetwork sandbox, Func<string, SandboxAddress?> peers)
    {
        var policy = sandbox.Policy;
        var chain = "public";
        if (!policy.IsCommon(options))
        {
            chain = "s_" + sandbox.Id;
            text.Append(CultureInfo.InvariantCulture, $"add chain {Inet} {chain}\n");
            foreach (var rule in Rules(policy, peers))
            {
                text.Append(CultureInfo.InvariantCulture, $"add rule {Inet} {chain} {rule}\n");
            }
        }

        foreach (var (family, address) in Families(sandbox))
        {
            text.Append(CultureInfo.InvariantCulture, $"add element {Inet} policy{family} {{ {address} : jump {chain} }}\n");
        }

        if (policy.BytesPerSecond is not { } rate)
        {
            return;
        }

        // The kernel's bucket holds a second's worth and the burst; it must take a few full packets of the largest kind the kernel puts together.
        const int burst = 256 * 1024;
        foreach (var way in (ReadOnlySpan<string>)["up", "down"])
        {
            text.Append(CultureInfo.InvariantCulture, $"add chain {Inet} {way}_{sandbox.Id}\n");
            text.Append(CultureInfo.InvariantCulture, $"add rule {Inet} {way}_{sandbox.Id} limit rate over {rate} bytes/second burst {burst} bytes drop\n");
            foreach (var (family, address) in Families(sandbox))
            {
                text.Append(CultureInfo.InvariantCulture, $"add element {Inet} {way}{family} {{ {address} : jump {way}_{sandbox.Id} }}\n");
            }
        }
    }

    private void RemovePolicy(StringBuilder text, SandboxNetwork sandbox)
    {
        string[] ways = sandbox.Policy.BytesPerSecond is null ? [] : ["up", "down"];
        foreach (var (family, address) in Families(sandbox))
        {
            text.Append(CultureInfo.InvariantCulture, $"delete element {Inet} policy{family} {{ {address} }}\n");
            foreach (var way in ways)
            {
                text.Append(CultureInfo.InvariantCulture, $"delete element {Inet} {way}{family} {{ {address} }}\n");
            }
        }

        foreach (var chain in ChainsOf(sandbox))
        {
            text.Append(CultureInfo.InvariantCulture, $"flush chain {Inet} {chain}\ndelete chain {Inet} {chain}\n");
        }
    }

    private static IEnumerable<(char Family, string Address)> Families(SandboxNetwork sandbox)
    {
        yield return ('4', sandbox.Address.V4.ToString());
        if (sandbox.Address.V6 is { } six)
        {
            yield return ('6', six.ToString());
        }
    }

    private static IEnumerable<string> Rules(NetworkPolicy policy, Func<string, SandboxAddress?> peers)
    {
        yield return $"ct state new ct count over {policy.Connections.ToString(CultureInfo.InvariantCulture)} goto refuse";
        foreach (var match in policy.Allow.SelectMany(r => Matches(r, peers)))
        {
            yield return match + "accept";
        }

        foreach (var match in policy.Deny.SelectMany(r => Matches(r, peers)))
        {
            yield return match + "goto refuse";
        }

        yield return "jump private";
        yield return policy.AllowsRest ? "accept" : "goto refuse";
    }

    private static IEnumerable<string> Matches(PolicyRule rule, Func<string, SandboxAddress?> peers)
    {
        var ports = rule.Ports is not { } p ? "" : string.Create(CultureInfo.InvariantCulture, $"meta l4proto {{ tcp, udp }} th dport {p.First}-{p.Last} ");
        foreach (var range in rule.Ranges)
        {
            yield return (range.Prefix > 0 ? $"{(range.IsV6 ? "ip6" : "ip")} daddr {range} " : $"meta nfproto {(range.IsV6 ? "ipv6" : "ipv4")} ") + ports;
        }

        // A sandbox that is not there is no rule; when it comes the chain is written anew.
        if (rule.Peer is not null && peers(rule.Peer) is { } peer)
        {
            yield return $"ip daddr {peer.V4} " + ports;
            if (peer.V6 is not null)
            {
                yield return $"ip6 daddr {peer.V6} " + ports;
            }
        }
    }
}
