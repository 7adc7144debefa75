using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Net;

/// <summary>A sandbox with network <c>nat</c>, from inside: what it reaches, what it does not, and what stays so when the daemon is killed.</summary>
public sealed class NatTests(NetworkDaemon daemon) : VivTest(daemon), IClassFixture<NetworkDaemon>
{
    // Prints "open ADDRESS" or "closed ADDRESS" for each, all at once, so that a silent one costs its time only once.
    private const string Probe = """
        probe() { if printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 10 "$1" 80 2>/dev/null | grep -q '^HTTP'; then echo "open $1"; else echo "closed $1"; fi; }
        for address; do probe "$address" & done; wait
        """;

    private NetworkDaemon Net => (NetworkDaemon)Daemon;

    [Theory, MemberData(nameof(Runtimes))]
    public async Task The_public_network_is_open_and_everything_else_is_closed_also_after_the_daemon_was_killed(string runtime)
    {
        await using var other = await Daemon.CreateAsync("--runtime", "container", "--net", "nat");
        await other.ShAsync("mkdir -p /tmp/w && echo hi >/tmp/w/index.html && busybox httpd -p 80 -h /tmp/w");
        await using var box = await Daemon.CreateAsync("--runtime", runtime, "--net", "nat");
        var peer = (await other.ShowAsync()).GetProperty("addresses")[0].GetString()!;
        var before = await RulesAsync(box);
        var gateway = GatewayOf(peer);
        async Task CheckAsync()
        {
            await ExpectAsync(
                box,
                open: [FakeInternet.Web, FakeInternet.OtherWeb],
                closed: [FakeInternet.Private, FakeInternet.Metadata, peer, gateway, "198.18.0.1", "127.0.0.1"]);
            Assert.Contains($"{FakeInternet.Web} saw {Net.Internet.SeenAs}", (await box.ShAsync($"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 10 {FakeInternet.Web} 80")).Stdout, StringComparison.Ordinal);
            Assert.Contains(FakeInternet.Web, (await box.TryExecAsync("nslookup", "example.com")).Stdout, StringComparison.Ordinal);
            Assert.DoesNotContain(peer, (await box.TryExecAsync("nslookup", $"{other.Name}.viv")).Stdout, StringComparison.Ordinal);
            Assert.Contains((await box.ShowAsync()).GetProperty("addresses")[0].GetString()!, (await box.TryExecAsync("nslookup", $"{box.Name}.viv")).Stdout, StringComparison.Ordinal);
        }

        await CheckAsync();
        await Daemon.KillAsync();
        await ExpectWhileDeadAsync(before);
        await Daemon.StartAsync();
        await CheckAsync();
        Assert.Equal(before, await RulesAsync(box));
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_stopped_sandbox_keeps_its_address_and_a_removed_one_gives_it_back(string runtime)
    {
        string first;
        await using (var box = await Daemon.CreateAsync("--runtime", runtime, "--net", "nat"))
        {
            first = (await box.ShowAsync()).GetProperty("addresses")[0].GetString()!;
            await Viv.RunAsync("stop", box.Id);
            await using var meanwhile = await Daemon.CreateAsync("--runtime", "container", "--net", "nat");
            Assert.NotEqual(first, (await meanwhile.ShowAsync()).GetProperty("addresses")[0].GetString());
            await Viv.RunAsync("start", box.Id);
            Assert.Equal(first, (await box.ShowAsync()).GetProperty("addresses")[0].GetString());
            await ExpectAsync(box, open: [FakeInternet.Web], closed: [FakeInternet.Private]);
        }

        Assert.DoesNotContain($" {first} ", await RulesAsync(null), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_network_there_is_none()
    {
        await using var box = await Daemon.CreateAsync("--net", "none");
        await ExpectAsync(box, open: [], closed: [FakeInternet.Web, FakeInternet.Private]);
        Assert.False((await box.ShowAsync()).TryGetProperty("addresses", out _));
    }

    [Fact]
    public async Task Refusals_say_what_cannot_be_enforced()
    {
        (string[] Flags, string Reason)[] refused =
        [
            (["--net", "nat", "--allow", "example.com"], "host_rules_not_built"), (["--net", "nat", "--allow", "169.254.169.254"], "never_allowed"),
            (["--net", "nat", "--deny", "10.0.0.1/8"], "bad_rule"), (["--net", "none", "--allow", "8.8.8.8"], "policy_without_network"),
        ];
        foreach (var (flags, reason) in refused)
        {
            var result = await Viv.TryAsync(["create", "--json", .. flags]);
            Assert.NotEqual(0, result.Code);
            Assert.Contains(reason, result.Stderr + result.Stdout, StringComparison.Ordinal);
        }
    }

    private static string GatewayOf(string address) => address[..(address.LastIndexOf('.') + 1)] + "1";

    private static async Task ExpectAsync(TestSandbox box, string[] open, string[] closed)
    {
        var said = (await box.Viv.RunAsync(["exec", box.Id, "--", "sh", "-c", Probe, "sh", .. open, .. closed])).Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(open.Select(a => $"open {a}").Concat(closed.Select(a => $"closed {a}")).Order(StringComparer.Ordinal), said.Order(StringComparer.Ordinal));
    }

    /// <summary>The rules that speak of a sandbox (or all), without what counts.</summary>
    private async Task<string> RulesAsync(TestSandbox? box)
    {
        var rules = (await Tools.RunAsync("nft", "-s", "list", "table", "bridge", Net.NetworkTable)).StdoutText + (await Tools.RunAsync("nft", "-s", "list", "map", "inet", Net.NetworkTable, "policy4")).StdoutText;
        return box is null ? rules : string.Join('\n', rules.Split('\n', ',').Where(line => line.Contains(box.Id[..8], StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    /// <summary>The kernel holds the rules, not the daemon.</summary>
    private async Task ExpectWhileDeadAsync(string rules)
    {
        Assert.NotEqual("", rules);
        var now = (await Tools.RunAsync("nft", "list", "table", "inet", Net.NetworkTable)).StdoutText;
        Assert.Contains("hook forward", now, StringComparison.Ordinal);
    }
}
