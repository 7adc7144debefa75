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
        new("burst-20", BurstAsync),
    ];

    private static async Task<IReadOnlyList<Result>> ColdAsync(BenchHost host, string name, string runtime, OciPeer engine, string peerName, int times)
    {
        var bundle = await engine.BundleAsync($"{name}-peer", "/bin/true");
        var count = host.Times(times);
        var (ours, peer) = await Samples.SideBySideAsync(count, () => RoundAsync(host, runtime), () => engine.RunOnceAsync(bundle));
        return [new Result(name, "ms", ours, peerName, peer, 1.0, count)];
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
