using Vivarium.Bench.Measuring;
using Vivarium.Bench.Peers;

namespace Vivarium.Bench.Figures;

/// <summary>From nothing to a command's output to nothing.</summary>
internal static class CreateFigures
{
    public static IReadOnlyList<Figure> All { get; } =
    [
        new("cold-container", host => ColdAsync(host, "cold-container", "container", host.Runc, "runc run", 40)),
        new("cold-gvisor", host => ColdAsync(host, "cold-gvisor", "gvisor", host.Runsc, "runsc run", 15)),
        new("warm-container", host => WarmAsync(host, "warm-container", "container", host.Runc, "runc run", 0.25, 40)),
        new("warm-gvisor", host => WarmAsync(host, "warm-gvisor", "gvisor", host.Runsc, "runsc run", 0.15, 15)),
        new("burst-20", BurstAsync),
    ];

    private static async Task<IReadOnlyList<Result>> ColdAsync(BenchHost host, string name, string runtime, OciPeer engine, string peerName, int times)
    {
        var bundle = await engine.BundleAsync($"{name}-peer", "/bin/true");
        var count = host.Times(times);
        var (ours, peer) = await Samples.SideBySideAsync(count, () => RoundAsync(host, runtime), () => engine.RunOnceAsync(bundle));
        return [new Result(name, "ms", ours, peerName, peer, 1.0, count)];
    }

    /// <summary>The same round from the warm pool, which is let fill up between rounds; the time it takes is nobody's who waits for a sandbox.</summary>
    private static async Task<IReadOnlyList<Result>> WarmAsync(BenchHost host, string name, string runtime, OciPeer engine, string peerName, double goal, int times)
    {
        var bundle = await engine.BundleAsync($"{name}-peer", "/bin/true");
        var count = host.Times(times);
        await host.WarmPoolAsync(on: true);
        try
        {
            await RoundAsync(host, runtime); // says which shape is wanted
            var mine = new List<double>(count);
            var theirs = new List<double>(count);
            for (var i = 0; i < count; i++)
            {
                await host.FilledAsync();
                mine.Add(await Samples.TimeAsync(() => RoundAsync(host, runtime)));
                await host.FilledAsync();
                theirs.Add(await Samples.TimeAsync(() => engine.RunOnceAsync(bundle)));
            }

            return [new Result(name, "ms", Samples.Median(mine), peerName, Samples.Median(theirs), goal, count)];
        }
        finally
        {
            await host.WarmPoolAsync(on: false);
        }
    }

    private static async Task<IReadOnlyList<Result>> BurstAsync(BenchHost host)
    {
        var sequential = new List<double>();
        for (var i = 0; i < host.Times(20); i++)
        {
            sequential.Add(await Samples.TimeAsync(() => RoundAsync(host, "container")));
        }

        const int Burst = 20;
        var slow = new List<double>();
        var rounds = host.Times(5);
        for (var round = 0; round < rounds; round++)
        {
            var times = await Task.WhenAll(Enumerable.Range(0, Burst).Select(_ => Samples.TimeAsync(() => RoundAsync(host, "container"))));
            slow.Add(Samples.Quantile(times, 0.9));
        }

        return [new Result("burst-20", "ms", Samples.Median(slow), "sequential", Samples.Median(sequential), 6, rounds * Burst)];
    }

    private static async Task RoundAsync(BenchHost host, string runtime)
    {
        var sandbox = await host.CreateAsync(runtime);
        await ExecFigures.ExecAsync(host, sandbox.Id, "/bin/true");
        await host.DestroyAsync(sandbox.Id);
    }
}
