using Vivarium.Acceptance.Harness;
using Vivarium.Wire.Host;

namespace Vivarium.Acceptance.Net;

/// <summary>
/// Every rule of docs/networking.md from inside a sandbox of each runtime: what a new sandbox reaches and what not, with lists, with a closed policy, while the daemon is dead and
/// after it was started again. All targets answer the host; all are asked at once by one program.
/// </summary>
public sealed class RuleMatrixTests(HostedDaemon daemon) : HostedNetTest(daemon), IClassFixture<HostedDaemon>
{
    [Theory, MemberData(nameof(Runtimes))]
    public async Task Every_rule_holds_also_while_the_daemon_is_dead_and_after_it_was_started_again(string runtime)
    {
        await using var peer = await Daemon.CreateAsync("--runtime", "container", "--net", "nat");
        await peer.ShAsync("mkdir -p /tmp/w && echo hi >/tmp/w/index.html && busybox httpd -p 80 -h /tmp/w");
        await using var box = await CreateProbedAsync("--runtime", runtime);
        var ownRules = await Net.Machine.OwnRulesAsync();
        var peers = await AddressesAsync(peer);
        Dictionary<string, bool> byDefault = Rows(await BridgeLinkLocalAsync(), peers);
        await EverythingAnswersTheHostAsync(byDefault.Keys);
        await ExpectAsync(box, byDefault);
        await NamesAsync(box, peer);

        // Rules are the kernel's: asked over and over while the daemon is killed, away, and started again.
        var watch = NetProbe.InAsync(box, byDefault.Keys, "watch", "4");
        await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System);
        await Daemon.KillAsync();
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System);
        await Daemon.StartAsync();
        var opened = NetProbe.Numbers(await watch, "open");
        Assert.Equal(byDefault.Where(static r => r.Value).Select(static r => r.Key), byDefault.Keys.Where(row => opened[row] > 0));
        Assert.All(NetProbe.Numbers(await watch, "tried").Values, static n => Assert.True(n > 10, $"asked only {n} times"));
        await ExpectAsync(box, byDefault);

        await SetAsync(box, new NetworkPolicySpec
        {
            Allow = ["10.99.0.81:80", "fd00:ec2::254", "203.0.113.81:80", $"{peer.Name}.viv:80"], Deny = ["203.0.113.0/24", "2606:4700::/32", "all:8080"],
        });
        var listed = byDefault.Where(static r => !r.Value).Select(static r => r.Key).ToHashSet();
        listed.ExceptWith(["tcp 10.99.0.81 80", "udp 10.99.0.81 80", "tcp fd00:ec2::254 80", "udp fd00:ec2::254 80", .. peers.Select(static a => $"tcp {a} 80")]);
        listed.UnionWith([$"tcp {FakeHost.Web} 80", $"udp {FakeHost.Web} 80", $"tcp ::ffff:{FakeHost.Web} 80", "tcp 2606:4700::80 80", "udp 2606:4700::80 80", "tcp 203.0.113.81 8080", "tcp 192.0.2.80 8080"]);
        await ExpectAsync(box, Closing(byDefault, listed));

        await SetAsync(box, new NetworkPolicySpec { Default = "deny", Allow = ["192.0.2.80:80", $"[{FakeHost.Web6}]:80"], Deny = [], Dns = false });
        HashSet<string> stay = ["tcp 192.0.2.80 80", $"tcp {FakeHost.Web6} 80", "udp 192.0.2.80 80", $"udp {FakeHost.Web6} 80"];
        Dictionary<string, bool> closedPolicy = Closing(byDefault, byDefault.Keys.Where(row => !stay.Contains(row)));
        await ExpectAsync(box, closedPolicy);
        Assert.Equal("rcode 3\n", await DnsAsync(box, Net.Gateway, "udp", "example.com", "A"));
        await Daemon.KillAsync();
        await Daemon.StartAsync();
        await ExpectAsync(box, closedPolicy);
        Assert.Equal((await AddressesAsync(box))[0] + "\n", await DnsAsync(box, Net.Gateway, "udp", $"{box.Name}.viv", "A"));
        Assert.Equal(ownRules, await Net.Machine.OwnRulesAsync());
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task Forged_frames_do_not_leave_their_port(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime, "--net", "nat");
        await using var victim = await Daemon.CreateAsync("--net", "nat");
        var (own, theirs) = (await AddressesAsync(box), await AddressesAsync(victim));
        var (mac, theirMac) = (MacOf(own[0]), MacOf(theirs[0]));
        string[] frames =
        [
            $"honest4 0 {mac} {own[0]} {FakeHost.Web} 80", $"honest6 0 {mac} {own[1]} {FakeHost.Web6} 80",
            $"as-another4 0 {mac} {theirs[0]} {FakeHost.Web} 80", $"as-another6 0 {mac} {theirs[1]} {FakeHost.Web6} 80",
            $"as-outside4 0 {mac} 198.51.100.7 {FakeHost.Web} 80", $"as-outside6 0 {mac} 2001:db8:7::7 {FakeHost.Web6} 80",
            $"as-gateway 0 {mac} {Net.Gateway} {FakeHost.Web} 80", $"as-host 0 {mac} 203.0.113.2 {FakeHost.Web} 80", $"as-loopback 0 {mac} 127.0.0.1 {FakeHost.Web} 80",
            $"hardware4 0 02:76:00:00:00:01 {own[0]} {FakeHost.Web} 80", $"hardware6 0 02:76:00:00:00:01 {own[1]} {FakeHost.Web6} 80",
            $"whole-other4 0 {theirMac} {theirs[0]} {FakeHost.Web} 80", $"whole-other6 0 {theirMac} {theirs[1]} {FakeHost.Web6} 80",
            $"tagged4 7 {mac} {own[0]} {FakeHost.Web} 80", $"tagged6 7 {mac} {own[1]} {FakeHost.Web6} 80",
            $"last4 0 {mac} {own[0]} {FakeHost.Web} 80", $"last6 0 {mac} {own[1]} {FakeHost.Web6} 80",
        ];
        await NetProbe.AtAsync($"/proc/{await SandboxProcess.InitAsync(box)}/ns/net", frames, "forge", "eth0", MacOf(Net.Gateway));
        await Eventually.HoldsAsync(() => Labels().IsSupersetOf(["last4", "last6"]), TimeSpan.FromSeconds(10), "what is sent last has arrived");
        Assert.Equal(["honest4", "honest6", "last4", "last6"], Labels().Order(StringComparer.Ordinal));

        HashSet<string> Labels() => [.. Net.Machine.Servers.Datagrams.Select(static d => d.Split(' ')[0]).Where(l => frames.Any(f => f.Split(' ')[0] == l))];
    }

    private static Dictionary<string, bool> Rows(string bridge, IReadOnlyList<string> peers)
    {
        var rows = new Dictionary<string, bool>(StringComparer.Ordinal);
        foreach (var address in FakeHost.Public)
        {
            rows[$"tcp {address} 80"] = true;
        }

        foreach (var address in (string[])[.. FakeHost.Closed, .. FakeHost.Never, .. FakeHost.Own, bridge, .. peers])
        {
            rows[$"tcp {address} 80"] = false;
        }

        foreach (var address in (string[])[FakeHost.Web, "192.0.2.80", "198.51.100.80", "2606:4700::80", FakeHost.Web6])
        {
            rows[$"udp {address} 80"] = true;
        }

        foreach (var address in (string[])["10.99.0.81", "100.100.100.200", "169.254.169.254", "192.168.0.80", "168.63.129.16", "fd00:ec2::254", "64:ff9b::a63:50", .. FakeHost.Own])
        {
            rows[$"udp {address} 80"] = false;
        }

        rows["tcp 203.0.113.81 8080"] = true;
        rows["tcp 192.0.2.80 8080"] = true;
        rows["tcp 172.17.0.1 8080"] = false;

        // An IPv4 address written as an IPv6 one is that IPv4 address.
        rows[$"tcp ::ffff:{FakeHost.Web} 80"] = true;
        rows[$"tcp ::ffff:{FakeHost.Inner} 80"] = false;
        rows["tcp ::ffff:169.254.169.254 80"] = false;
        rows["tcp ::ffff:172.17.0.1 80"] = false;
        return rows;
    }

    private static Dictionary<string, bool> Closing(Dictionary<string, bool> rows, IEnumerable<string> closed)
    {
        var shut = closed.ToHashSet(StringComparer.Ordinal);
        return rows.Keys.ToDictionary(static row => row, row => !shut.Contains(row), StringComparer.Ordinal);
    }

    private async Task ExpectAsync(TestSandbox box, Dictionary<string, bool> rows)
    {
        // What is open must be found open within six seconds on a busy machine; what is closed never.
        foreach (var seconds in (string[])["1", "6"])
        {
            var said = (await NetProbe.InAsync(box, rows.Keys, "check", seconds)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            var wrong = said.Where(line => line.EndsWith(" open", StringComparison.Ordinal) != rows[string.Join(' ', line.Split(' ')[..3])]).ToList();
            var opened = wrong.Where(static line => line.EndsWith(" open", StringComparison.Ordinal)).ToList();
            Assert.True(opened.Count == 0, $"open and should not be:\n{string.Join('\n', opened)}");
            if (wrong.Count > 0 && seconds == "1")
            {
                continue;
            }

            Assert.True(wrong.Count == 0, $"not open and should be:\n{string.Join('\n', wrong)}");

            // The host refuses at once; errors about datagrams are not sent without limit.
            Assert.DoesNotContain(said, static line => line.StartsWith("tcp", StringComparison.Ordinal) && line.EndsWith("silent", StringComparison.Ordinal));
            return;
        }
    }

    private async Task EverythingAnswersTheHostAsync(IEnumerable<string> rows)
    {
        var said = await NetProbe.AtAsync(Net.Machine.Host, rows.Select(row => row.Replace("%eth0", "%" + Net.Bridge, StringComparison.Ordinal)), "check", "6");
        Assert.Empty(said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(static line => !line.EndsWith(" open", StringComparison.Ordinal)));
        Assert.Equal(FakeHost.Web + "\n", await NetProbe.AtAsync(Net.Machine.Host, [], "dns", FakeHost.NameServer, "udp", "example.com", "A"));
    }

    /// <summary>The name server on the bridge is all of the host there is, and the only way to the host's own.</summary>
    private async Task NamesAsync(TestSandbox box, TestSandbox peer)
    {
        var own = await AddressesAsync(box);
        foreach (var server in (string[])[Net.Gateway, Net.Gateway6])
        {
            Assert.Equal(FakeHost.Web + "\n", await DnsAsync(box, server, "udp", "example.com", "A"));
            Assert.Equal(FakeHost.Web6 + "\n", await DnsAsync(box, server, "udp", "example.com", "AAAA"));
            Assert.Equal(own[0] + "\n", await DnsAsync(box, server, "tcp", $"{box.Name}.viv", "A"));
            Assert.Equal(own[1] + "\n", await DnsAsync(box, server, "udp", $"{box.Name}.viv", "AAAA"));
            Assert.Equal("rcode 3\n", await DnsAsync(box, server, "udp", $"{peer.Name}.viv", "A"));
        }

        Assert.Equal("silent\n", await DnsAsync(box, FakeHost.NameServer, "udp", "example.com", "A"));
        Assert.Equal($"nameserver {Net.Gateway}\n", (await box.ShAsync("grep nameserver /etc/resolv.conf")).Stdout);
    }

    private static Task<string> DnsAsync(TestSandbox box, string server, string protocol, string name, string type) => NetProbe.InAsync(box, [], "dns", server, protocol, name, type);

    private async Task<string> BridgeLinkLocalAsync() =>
        (await Tools.ShAsync($"nsenter --net={Net.Machine.Host} ip -6 -o address show dev {Net.Bridge} scope link | sed 's/.*inet6 //; s#/.*##'")).StdoutText.Trim() + "%eth0";
}
