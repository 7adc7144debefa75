using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Net;

/// <summary>A fork of a sandbox with a network: addresses of its own, its source's policy, and nothing the source notices.</summary>
public sealed class NetworkForkTests(HostedDaemon daemon) : HostedNetTest(daemon), IClassFixture<HostedDaemon>
{
    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_fork_has_addresses_of_its_own_and_its_sources_policy(string runtime)
    {
        await using var box = await CreateProbedAsync("--runtime", runtime, "--allow", FakeHost.Inner + ":80", "--deny", "198.51.100.0/24");
        var running = NetProbe.InAsync(box, [$"tcp {FakeHost.Web} 80", $"tcp {FakeHost.Inner} 80"], "flows", "4");
        await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System);
        var name = (await Viv.RunAsync("fork", "--name", $"f-{box.Id[..6]}", box.Id)).Stdout.Trim();
        await using var fork = new TestSandbox(Daemon, (await Viv.JsonAsync("show", name)).GetProperty("id").GetString()!, name);
        var (own, other) = (await AddressesAsync(box), await AddressesAsync(fork));
        Assert.Empty(own.Intersect(other));
        Assert.Equal(MacOf(other[0]), (await Tools.ShAsync($"nsenter --net=/proc/{await SandboxProcess.InitAsync(fork)}/ns/net ip -o link show eth0 | grep -o 'link/ether [0-9a-f:]*' | cut -d' ' -f2")).StdoutText.Trim());

        // It was the source's as it was when its files were copied, the program among them.
        Assert.True(await ReachesAsync(fork, FakeHost.Inner));
        Assert.True(await ReachesAsync(fork, FakeHost.Web6));
        Assert.False(await ReachesAsync(fork, "198.51.100.80"));
        Assert.False(await ReachesAsync(fork, "10.99.0.81"));
        Assert.Equal(other[0] + "\n", await NetProbe.InAsync(fork, [], "dns", Net.Gateway, "udp", $"{name}.viv", "A"));
        Assert.Equal("rcode 3\n", await NetProbe.InAsync(fork, [], "dns", Net.Gateway, "udp", $"{box.Name}.viv", "A"));
        Assert.All((await running).Split('\n', StringSplitOptions.RemoveEmptyEntries), static flow => Assert.EndsWith(" running", flow, StringComparison.Ordinal));
        Assert.True(await ReachesAsync(box, FakeHost.Inner));
        Assert.Equal(own, await AddressesAsync(box));
    }
}
