using System.Net;
using System.Text;
using Vivarium.Linux.Processes;
using Vivarium.Network.Addressing;
using Vivarium.Network.Firewall;
using Vivarium.Network.Policy;
using Vivarium.Wire.Host;

namespace Vivarium.Network.Tests;

/// <summary>The kernel takes every text the rules are written as, each change in one transaction. In a network namespace of the test's own.</summary>
public sealed class FirewallTextTests
{
    private static readonly NetworkOptions Options = new() { Bridge = "vtest", Table = "vtest" };
    private static readonly FirewallText Firewall = new(Options);

    [Fact]
    public async Task The_kernel_takes_opening_changing_and_closing()
    {
        var plain = Sandbox("aaaaaaaaaaaaaaaaaaaa", "web", 2, null);
        var ruled = Sandbox("bbbbbbbbbbbbbbbbbbbb", "db", 3, new NetworkPolicySpec
        {
            Default = "deny", Allow = ["10.0.0.0/8:443", "all:53", "[fd00::1]:80-90", "web.viv"], Deny = ["192.0.2.0/24"], BandwidthBytes = 1 << 20, Connections = 10,
        });
        var plainRuled = ruled with { Id = plain.Id, Address = plain.Address };
        var after = await RulesAfterAsync(
            Firewall.Whole([plain], Peers, []), Firewall.Open(ruled, Peers), Firewall.Change(plain, plainRuled, Peers), Firewall.Change(plainRuled, plainRuled, Peers));
        Assert.Contains("ip daddr 10.213.0.2 ", after, StringComparison.Ordinal); // the peer
        Assert.Contains("s_bbbbbbbbbbbbbbbbbbbb", after, StringComparison.Ordinal);
        Assert.Contains("\"vtest-aaaaaaaaa\" . 02:76:0a:d5:00:02 . 10.213.0.2", after, StringComparison.Ordinal);

        var closed = await RulesAfterAsync(Firewall.Whole([plain, ruled], Peers, []), Firewall.Close(ruled), Firewall.Close(plain));
        var never = await RulesAfterAsync(Firewall.Whole([], Peers, []));
        Assert.Equal(never, closed);
        Assert.Equal("", await RulesAfterAsync(Firewall.Whole([plain, ruled], Peers, []), Firewall.Remove()));
        Assert.Equal("", await RulesAfterAsync(Firewall.Remove()));
    }

    [Fact]
    public async Task Writing_everything_anew_leaves_no_trace_of_what_was_before() =>
        Assert.Equal(await RulesAfterAsync(Firewall.Whole([], Peers, [])), await RulesAfterAsync(Firewall.Whole([Sandbox("aaaaaaaaaaaaaaaaaaaa", "web", 2, new NetworkPolicySpec { Deny = ["all"], BandwidthBytes = 1 << 20 })], Peers, []), Firewall.Whole([], Peers, ["s_aaaaaaaaaaaaaaaaaaaa", "up_aaaaaaaaaaaaaaaaaaaa", "down_aaaaaaaaaaaaaaaaaaaa", "refuse"])));

    [Fact]
    public async Task A_pool_without_ipv6_and_a_fixed_uplink_are_taken_too()
    {
        var options = Options with { Pool6 = null, Uplink = "eth7", Pool4 = IpRange.Parse("172.30.0.0/24") };
        var firewall = new FirewallText(options);
        var sandbox = new SandboxNetwork("cccccccccccccccccccc", "a", new SandboxAddress(IPAddress.Parse("172.30.0.2"), null), NetworkPolicy.Parse(null, options));
        Assert.Contains("eth7", await RulesAfterAsync(firewall.Whole([sandbox], Peers, []), firewall.Close(sandbox)), StringComparison.Ordinal);
    }

    private static SandboxAddress? Peers(string name) => name == "web" ? new SandboxAddress(IPAddress.Parse("10.213.0.2"), IPAddress.Parse("fdc7:6976:6172::2")) : null;

    private static SandboxNetwork Sandbox(string id, string name, int number, NetworkPolicySpec? policy) => new(
        id, name, new SandboxAddress(IPAddress.Parse($"10.213.0.{number}"), IPAddress.Parse($"fdc7:6976:6172::{number}")), NetworkPolicy.Parse(policy, Options));

    private static async Task<string> RulesAfterAsync(params string[] scripts)
    {
        // One namespace for all: the shell feeds nft from its arguments, one transaction each.
        var run = await ChildRun.RunAsync(
            "unshare", ["-n", "sh", "-ec", "for script; do printf '%s' \"$script\" | nft -f -; done; nft -s list ruleset", "sh", .. scripts], null, TestContext.Current.CancellationToken);
        Assert.True(run.Succeeded, run.StderrText);
        return Encoding.UTF8.GetString(run.Stdout.Span);
    }
}
