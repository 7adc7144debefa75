using Vivarium.Acceptance.Harness;
using Vivarium.Transport.Host;
using Vivarium.Wire.Host;

namespace Vivarium.Acceptance.Net;

/// <summary>Rules that change while sandboxes run, and sandboxes that do not keep to them.</summary>
public sealed class PolicyLiveTests(NetworkDaemon daemon) : VivTest(daemon), IClassFixture<NetworkDaemon>
{
    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_changed_policy_cuts_what_it_no_longer_allows_and_nothing_else(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime, "--net", "nat", "--allow", FakeInternet.Private);
        foreach (var (address, file) in new[] { (FakeInternet.Private, "cut"), (FakeInternet.Web, "kept") })
        {
            await box.ShAsync($"(printf 'GET /slow HTTP/1.0\\r\\n\\r\\n' | nc {address} 80) >/tmp/{file} 2>&1 &");
        }

        await Eventually.HoldsAsync(async () => await LinesAsync(box, "cut") > 3 && await LinesAsync(box, "kept") > 3, TimeSpan.FromSeconds(20), "both flows run");
        var reply = await SetAsync(new SetNetworkParams { Ref = box.Id, Policy = new NetworkPolicySpec { Allow = [], Deny = [FakeInternet.OtherWeb] } });
        Assert.Equal([FakeInternet.OtherWeb], reply.Sandbox.Policy!.Deny!);
        await Eventually.HoldsAsync(async () => await StillAsync(box, "cut"), TimeSpan.FromSeconds(20), "the flow that is closed now stands still");
        var kept = await LinesAsync(box, "kept");
        await Eventually.HoldsAsync(async () => await LinesAsync(box, "kept") > kept + 3, TimeSpan.FromSeconds(20), "the other one goes on");
        Assert.False(await ReachesAsync(box, FakeInternet.OtherWeb));
        Assert.False(await ReachesAsync(box, FakeInternet.Private));

        await SetAsync(new SetNetworkParams { Ref = box.Id, Policy = new NetworkPolicySpec { Allow = [FakeInternet.Private + ":8080"], Deny = ["all"] } });
        Assert.True(await ReachesAsync(box, FakeInternet.Private, 8080));
        Assert.False(await ReachesAsync(box, FakeInternet.Private));
        Assert.False(await ReachesAsync(box, FakeInternet.Web));
        await Eventually.HoldsAsync(async () => await StillAsync(box, "kept"), TimeSpan.FromSeconds(20), "now that one is cut too");
    }

    [Fact]
    public async Task Another_sandbox_is_open_to_the_one_that_names_it()
    {
        await using var web = await Daemon.CreateAsync("--net", "nat");
        await web.ShAsync("mkdir -p /tmp/w && echo hello >/tmp/w/index.html && busybox httpd -p 80 -h /tmp/w && busybox httpd -p 81 -h /tmp/w");
        await using var friend = await Daemon.CreateAsync("--net", "nat", "--allow", $"{web.Name}.viv:80");
        await using var stranger = await Daemon.CreateAsync("--net", "nat");
        var address = (await web.ShowAsync()).GetProperty("addresses")[0].GetString()!;
        Assert.True(await ReachesAsync(friend, address));
        Assert.Contains(address, (await friend.TryExecAsync("nslookup", $"{web.Name}.viv")).Stdout, StringComparison.Ordinal);
        Assert.False(await ReachesAsync(friend, address, 81));
        Assert.False(await ReachesAsync(stranger, address));
        Assert.DoesNotContain(address, (await stranger.TryExecAsync("nslookup", $"{web.Name}.viv")).Stdout, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Forged_packets_do_not_leave_their_port()
    {
        await using var box = await Daemon.CreateAsync("--net", "nat");
        await using var victim = await Daemon.CreateAsync("--net", "nat");
        var own = (await box.ShowAsync()).GetProperty("addresses")[0].GetString()!;
        var theirs = (await victim.ShowAsync()).GetProperty("addresses")[0].GetString()!;
        var init = await SandboxProcess.InitAsync(box);

        // As root of the host in the sandbox's namespace: more than code in the sandbox may do.
        await Tools.ShAsync($"""
            nsenter --net=/proc/{init}/ns/net bash -ec '
              reaches() {"{"} timeout 4 bash -c "exec 3<>/dev/tcp/$1/80" 2>/dev/null; {"}"}
              ip address add {theirs}/32 dev eth0
              ip route replace {FakeInternet.OtherWeb} via {Gateway(own)} dev eth0 src {theirs}
              if reaches {FakeInternet.OtherWeb}; then echo "sent as another" >&2; exit 1; fi
              reaches {FakeInternet.Web}
              ip address delete {theirs}/32 dev eth0
              ip route replace {FakeInternet.OtherWeb} via {Gateway(own)} dev eth0
              reaches {FakeInternet.OtherWeb}
              ip link set eth0 address 02:76:00:00:00:01
              if reaches {FakeInternet.Web}; then echo "sent with another hardware address" >&2; exit 1; fi
            '
            """);
        Assert.True(await ReachesAsync(victim, FakeInternet.Web));
    }

    private static string Gateway(string address) => address[..(address.LastIndexOf('.') + 1)] + "1";

    private static async Task<bool> ReachesAsync(TestSandbox box, string address, int port = 80) =>
        (await box.TryExecAsync("sh", "-c", $"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 10 {address} {port} | grep '^HTTP'")).Code == 0;

    private static async Task<int> LinesAsync(TestSandbox box, string file) => int.Parse((await box.ShAsync($"wc -l </tmp/{file}")).Stdout, null);

    private static async Task<bool> StillAsync(TestSandbox box, string file)
    {
        var before = await LinesAsync(box, file);
        await Task.Delay(TimeSpan.FromMilliseconds(800), TimeProvider.System);
        return await LinesAsync(box, file) == before;
    }

    private async Task<SetNetworkReply> SetAsync(SetNetworkParams wanted)
    {
        await using var client = await HostClient.ConnectAsync(Daemon.Socket, cancellationToken: TestContext.Current.CancellationToken);
        return await client.SetNetworkAsync(wanted, TestContext.Current.CancellationToken);
    }
}
