using Vivarium.Wire.Host;

namespace Vivarium.Acceptance.Net;

/// <summary>Policies that change, and a daemon that dies, while many flows run: what is closed now is cut, everything else goes on, and nothing slips through in between.</summary>
public sealed class PolicyUnderLoadTests(HostedDaemon daemon) : HostedNetTest(daemon), IClassFixture<HostedDaemon>
{
    private const int Flows = 20;

    [Theory, MemberData(nameof(Runtimes))]
    public async Task Closed_flows_are_cut_others_go_on_and_nothing_slips_through(string runtime)
    {
        await using var box = await CreateProbedAsync("--runtime", runtime, "--allow", FakeHost.Inner, "--allow", "fd00:ec2::254");
        var (cut, kept) = (Times($"tcp {FakeHost.Inner} 80", "tcp fd00:ec2::254 80"), Times($"tcp {FakeHost.Web} 80", $"tcp {FakeHost.Web6} 80"));
        var flows = NetProbe.InAsync(box, [.. cut, .. kept], "flows", "8");
        await Task.Delay(TimeSpan.FromSeconds(1.5), TimeProvider.System);
        await SetAsync(box, new NetworkPolicySpec { Allow = [], Deny = ["192.0.2.0/24", "all:8080"] });

        // Closed in every policy from here on: whatever else changes, none of it may answer once.
        string[] closed =
        [
            $"tcp {FakeHost.Inner} 80", $"udp {FakeHost.Inner} 80", "tcp fd00:ec2::254 80", "tcp 192.0.2.80 80", "udp 192.0.2.80 80", "tcp 203.0.113.81 8080",
            "tcp 169.254.169.254 80", "udp 169.254.169.254 80", "tcp 192.168.77.1 80", "tcp 203.0.113.2 80",
        ];
        var watch = NetProbe.InAsync(box, [.. closed, "tcp 198.51.100.80 80"], "watch", "5");
        var changes = 0;
        for (var began = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(4.5); changes++)
        {
            if (changes == 10)
            {
                await Daemon.KillAsync();
                await Daemon.StartAsync();
            }

            await SetAsync(box, new NetworkPolicySpec { Allow = changes % 2 == 0 ? ["198.18.0.80", "10.99.0.81:80"] : [], BandwidthBytes = changes % 3 == 0 ? 1L << 30 : 0, Connections = 500 + changes });
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{changes} changes");
        Assert.True(changes > 10, $"only {changes} changes");
        var (opened, tried) = (NetProbe.Numbers(await watch, "open"), NetProbe.Numbers(await watch, "tried"));
        Assert.All(closed, row => Assert.Equal((row, 0), (row, opened[row])));
        Assert.All(tried.Values, static n => Assert.True(n > 20, $"asked only {n} times"));
        Assert.True(opened["tcp 198.51.100.80 80"] > 20, "what is open answers all the while");

        var ends = (await flows).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Split(' ')).ToList();
        Assert.Equal(4 * Flows, ends.Count);
        Assert.All(ends.Take(2 * Flows), static flow => Assert.True(Value(flow, 3) > 0 && (flow[^1] == "ended" || Value(flow, 5) > 3000), $"not cut: {string.Join(' ', flow)}"));
        Assert.All(ends.Skip(2 * Flows), static flow => Assert.True(flow[^1] == "running" && Value(flow, 4) < 3000 && Value(flow, 5) < 3000, $"disturbed: {string.Join(' ', flow)}"));
    }

    private static List<string> Times(params string[] targets) => [.. targets.SelectMany(static t => Enumerable.Repeat(t, Flows))];

    private static long Value(string[] words, int index) => long.Parse(words[index].Split('=')[1], null);
}
