using System.Net;
using System.Text;
using Vivarium.Configuration.Policy;
using Vivarium.Network.Addressing;
using Vivarium.Network.Policy;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Network.Tests;

/// <summary>What rules mean, and what is refused.</summary>
public sealed class PolicyTests
{
    private static readonly NetworkOptions Options = new();

    [Theory]
    [InlineData("203.0.113.80", true)] // documentation ranges are public
    [InlineData("192.0.2.1", true)]
    [InlineData("198.51.100.1", true)]
    [InlineData("8.8.8.8", true)]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("192.168.1.1", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("224.0.0.251", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("fd00:ec2::254", false)]
    [InlineData("fe80::1", false)]
    [InlineData("64:ff9b::a00:1", false)] // 10.0.0.1 behind a NAT64
    [InlineData("2002:a00:1::1", false)] // 10.0.0.1 in 6to4
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("::1", false)]
    public void By_default_the_public_network_is_open_and_nothing_else(string to, bool open) => Assert.Equal(open, Allows(null, to, 6, 443));

    [Fact]
    public void Allow_wins_over_deny_and_both_over_the_defaults()
    {
        var policy = new NetworkPolicySpec { Allow = ["10.1.0.0/16:443", "203.0.113.7"], Deny = ["203.0.113.0/24", "all:25"] };
        Assert.True(Allows(policy, "10.1.2.3", 6, 443));
        Assert.True(Allows(policy, "10.1.2.3", 17, 443));
        Assert.False(Allows(policy, "10.1.2.3", 6, 80));
        Assert.False(Allows(policy, "10.1.2.3", 1, null));
        Assert.True(Allows(policy, "203.0.113.7", 6, 80));
        Assert.False(Allows(policy, "203.0.113.8", 6, 80));
        Assert.False(Allows(policy, "8.8.8.8", 6, 25));
        Assert.True(Allows(policy, "8.8.8.8", 6, 26));
    }

    [Fact]
    public void A_closed_policy_opens_what_its_allow_list_says_and_nothing_more()
    {
        foreach (var policy in new NetworkPolicySpec[] { new() { Default = "deny", Allow = ["8.8.8.8:53-54"] }, new() { Deny = ["all"], Allow = ["8.8.8.8:53-54"] } })
        {
            Assert.True(Allows(policy, "8.8.8.8", 17, 54));
            Assert.False(Allows(policy, "8.8.8.8", 17, 55));
            Assert.False(Allows(policy, "8.8.4.4", 17, 53));
            Assert.False(Allows(policy, "2606:4700::1111", 6, 443));
        }
    }

    [Fact]
    public void Another_sandbox_is_open_only_by_its_name()
    {
        Assert.False(Allows(null, "10.213.0.9", 6, 80));
        Assert.True(Allows(new NetworkPolicySpec { Allow = ["db.viv:80"] }, "10.213.0.9", 6, 80));
        Assert.False(Allows(new NetworkPolicySpec { Allow = ["db.viv:80"] }, "10.213.0.9", 6, 81));
        Assert.False(Allows(new NetworkPolicySpec { Allow = ["web.viv:80"] }, "10.213.0.9", 6, 80));
    }

    [Theory]
    [InlineData("169.254.169.254")]
    [InlineData("127.0.0.1:22")]
    [InlineData("224.0.0.0/4")]
    [InlineData("fe80::/64")]
    public void What_is_never_open_cannot_be_allowed(string rule) => Assert.Equal("never_allowed", Refusal(new NetworkPolicySpec { Allow = [rule] }).Reason);

    [Theory]
    [InlineData("example.com")]
    [InlineData("example.com:443")]
    [InlineData("*.example.com")]
    public void Rules_by_host_name_are_refused_by_name(string rule)
    {
        var refusal = Refusal(new NetworkPolicySpec { Allow = [rule] });
        Assert.Equal((ErrorCode.Unimplemented, "host_rules_not_built"), (refusal.Code, refusal.Reason!));
        Assert.Contains(rule, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("10.0.0.1:0")]
    [InlineData("10.0.0.1:65536")]
    [InlineData("10.0.0.1:90-80")]
    [InlineData("10.0.0.1:")]
    [InlineData("10.0.0.1:+80")]
    [InlineData("[fd00::1")]
    [InlineData("[fd00::1]80")]
    [InlineData("10.0.0.300")]
    [InlineData("10.0.0.0/8; flush ruleset")]
    [InlineData("10.0.0.1 } drop")]
    [InlineData("")]
    [InlineData("-x.viv")]
    public void Malformed_rules_are_refused(string rule) => Assert.Equal("bad_rule", Refusal(new NetworkPolicySpec { Allow = [rule] }).Reason);

    [Fact]
    public void Out_of_range_limits_are_refused()
    {
        Assert.Equal("bad_bandwidth", Refusal(new NetworkPolicySpec { BandwidthBytes = 1 }).Reason);
        Assert.Equal("bad_connections", Refusal(new NetworkPolicySpec { Connections = 0 }).Reason);
        Assert.Equal("bad_policy", Refusal(new NetworkPolicySpec { Default = "maybe" }).Reason);
        Assert.Equal("too_many_rules", Refusal(new NetworkPolicySpec { Allow = [.. Enumerable.Repeat("8.8.8.8", 257)] }).Reason);
    }

    [Fact]
    public void Rules_are_read_whatever_comes()
    {
        byte[][] samples = [.. new[] { "10.0.0.0/8:80-90", "[fd00::1]:443", "all:25", "db.viv:5432", "fd00::/8" }.Select(Encoding.ASCII.GetBytes)];
        Fuzz.Bytes(samples, input => PolicyRule.Parse(Encoding.Latin1.GetString(input), "viv"), static e => e is VivariumException);
    }

    [Fact]
    public void A_policy_file_says_it_all_and_unknown_keys_are_errors()
    {
        var policy = NetworkPolicyFile.Parse(
            """
            default = "deny"
            allow = ["203.0.113.0/24:443", "db.viv"]
            deny = ["all:25"]
            bandwidth = "10MiB"
            connections = 100
            dns = false
            """, "p.toml");
        Assert.Equal(("deny", 10L << 20, 100, false), (policy.Default, policy.BandwidthBytes, policy.Connections, policy.Dns));
        Assert.Equal(["203.0.113.0/24:443", "db.viv"], policy.Allow);
        var error = Assert.Throws<VivariumException>(() => NetworkPolicyFile.Parse("allow = []\ndenny = [\"all\"]\n", "p.toml"));
        Assert.Contains("p.toml, line 2: unknown key 'denny'", error.Message, StringComparison.Ordinal);
        Fuzz.Bytes([Encoding.ASCII.GetBytes("allow = [\"10.0.0.0/8\"]\nbandwidth = \"1MiB\"\n")], input => NetworkPolicyFile.Parse(Encoding.Latin1.GetString(input), "f"), static e => e is VivariumException);
    }

    private static VivariumException Refusal(NetworkPolicySpec spec) => Assert.Throws<VivariumException>(() => NetworkPolicy.Parse(spec, Options));

    private static bool Allows(NetworkPolicySpec? spec, string to, byte protocol, int? port) => NetworkPolicy.Parse(spec, Options).Allows(
        IPAddress.Parse(to), protocol, port, Options.Pool4, Options.Pool6, static name => name == "db" ? new SandboxAddress(IPAddress.Parse("10.213.0.9"), null) : null);
}
