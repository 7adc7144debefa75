using System.Diagnostics;
using Vivarium.Bench.Measuring;
using Vivarium.Wire.Host;

namespace Vivarium.Bench.Figures;

/// <summary>Many sandboxes at once: what each costs, what the daemon costs, and how it grows.</summary>
internal static class CrowdFigures
{
    private const int Crowd = 200;

    public static IReadOnlyList<Figure> All { get; } = [new("crowd-200", CrowdAsync), new("scale", ScaleAsync)];

    private static async Task<IReadOnlyList<Result>> CrowdAsync(BenchHost host)
    {
        var size = host.Quick ? 40 : Crowd;
        var ids = await CreateManyAsync(host, size);
        var peers = new List<string>();
        try
        {
            var supervisors = (await host.Api.ListAsync(new ListParams(), CancellationToken.None)).Sandboxes.Select(s => s.SupervisorPid).ToHashSet();
            var guests = Memory.PidsOf("viv-guest").Where(pid => supervisors.Contains(Memory.ParentOf(pid))).ToArray();
            var each = (supervisors.Sum(Memory.UniqueMiB) + guests.Sum(Memory.UniqueMiB)) / size;

            var daemon = (await host.Api.VersionAsync(CancellationToken.None)).Pid;
            var window = TimeSpan.FromSeconds(host.Quick ? 5 : 30);
            await SettledAsync(daemon);
            var before = Memory.CpuMs(daemon);
            await Task.Delay(window, TimeProvider.System);
            var cpu = 100 * (Memory.CpuMs(daemon) - before) / window.TotalMilliseconds;
            var memory = Memory.ResidentMiB(daemon);

            var bundle = await host.Runc.BundleAsync("crowd-peer", "/bin/sleep", "3600");
            for (var i = 0; i < size; i++)
            {
                peers.Add(await host.Runc.StartAsync(bundle));
            }

            var count = host.Times(20);
            var (ls, list) = await Samples.SideBySideAsync(count, () => host.VivQuietAsync("ls"), host.Runc.ListAsync);
            return
            [
                new Result("memory-each", "MiB", each, null, null, 12, size),
                new Result("daemon-memory", "MiB", memory, null, null, 150, 1),
                new Result("daemon-cpu", "%", cpu, null, null, 1, 1),
                new Result("viv-ls", "ms", ls, "runc list", list, 1, count),
            ];
        }
        finally
        {
            foreach (var peer in peers)
            {
                await host.Runc.RemoveAsync(peer);
            }

            await DestroyManyAsync(host, ids);
        }
    }

    /// <summary>Waits until the daemon has finished what the creates left it to do: three seconds with at most one tick of CPU time, for at most two minutes.</summary>
    private static async Task SettledAsync(int daemon)
    {
        for (var second = 0; second < 120; second += 3)
        {
            var before = Memory.CpuMs(daemon);
            await Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System);
            if (Memory.CpuMs(daemon) - before <= 10)
            {
                return;
            }
        }
    }

    /// <summary>Cost of one create, one list and one destroy at growing numbers: the peer is the same at 10, the goal is that it does not double.</summary>
    private static async Task<IReadOnlyList<Result>> ScaleAsync(BenchHost host)
    {
        var results = new List<Result>();
        (double Create, double List, double Destroy)? smallest = null;
        foreach (var size in host.Quick ? (int[])[10, 50] : [10, 100, 500])
        {
            var start = Stopwatch.GetTimestamp();
            var ids = await CreateManyAsync(host, size);
            var create = Stopwatch.GetElapsedTime(start).TotalMilliseconds / size;
            var lists = new List<double>();
            for (var i = 0; i < 10; i++)
            {
                lists.Add(await Samples.TimeAsync(() => host.Api.ListAsync(new ListParams(), CancellationToken.None)) / size);
            }

            start = Stopwatch.GetTimestamp();
            await DestroyManyAsync(host, ids);
            var destroy = Stopwatch.GetElapsedTime(start).TotalMilliseconds / size;
            var list = Samples.Median(lists);
            if (smallest is { } base10)
            {
                results.Add(new Result($"scale-create-{size}", "ms", create, "each of 10", base10.Create, 2, size));
                results.Add(new Result($"scale-list-{size}", "ms", list, "each of 10", base10.List, 2, 10));
                results.Add(new Result($"scale-destroy-{size}", "ms", destroy, "each of 10", base10.Destroy, 2, size));
            }
            else
            {
                smallest = (create, list, destroy);
            }
        }

        return results;
    }

    private static async Task<IReadOnlyList<string>> CreateManyAsync(BenchHost host, int size)
    {
        var ids = new List<string>();
        foreach (var batch in Enumerable.Range(0, size).Chunk(4))
        {
            ids.AddRange((await Task.WhenAll(batch.Select(_ => host.CreateAsync("container")))).Select(s => s.Id));
        }

        return ids;
    }

    private static async Task DestroyManyAsync(BenchHost host, IReadOnlyList<string> ids)
    {
        foreach (var batch in ids.Chunk(4))
        {
            await Task.WhenAll(batch.Select(host.DestroyAsync));
        }
    }
}
