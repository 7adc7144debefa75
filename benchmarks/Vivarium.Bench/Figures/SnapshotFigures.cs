using Vivarium.Bench.Measuring;
using Vivarium.Linux.Btrfs;
using Vivarium.Wire.Host;

namespace Vivarium.Bench.Figures;

/// <summary>Keeping a state, going back to one, and making many of one.</summary>
internal static class SnapshotFigures
{
    private const int Forks = 10;
    private static readonly CancellationToken None = CancellationToken.None;

    public static IReadOnlyList<Figure> All { get; } =
    [
        new("snapshot", SnapshotAsync),
        new("rollback", RollBackAsync),
        new("fork-10", ForkAsync),
    ];

    /// <summary>A quiet sandbox against the bare system call on the same volume; and how long the sandbox stood still for it.</summary>
    private static async Task<IReadOnlyList<Result>> SnapshotAsync(BenchHost host)
    {
        var sandbox = await host.CreateAsync("container");
        await ExecFigures.ExecAsync(host, sandbox.Id, "/bin/true");
        var volume = Path.Combine(host.Work, "state", "pool", "sandboxes", sandbox.Id);
        var bare = Path.Combine(host.Work, "state", "pool", "bench-snapshot");
        var pauses = new List<double>();
        var count = host.Times(40);
        var (ours, peer) = await Samples.SideBySideAsync(
            count,
            async () => pauses.Add((await host.Api.SnapshotAsync(new SnapshotParams { Ref = sandbox.Id }, None)).PausedUs!.Value / 1000.0),
            () =>
            {
                Subvolume.Snapshot(volume, bare, readOnly: true);
                Subvolume.TryDelete(bare);
                return Task.CompletedTask;
            });
        await host.DestroyAsync(sandbox.Id);
        return [new Result("snapshot", "ms", ours, "btrfs ioctl", peer, 2, count), new Result("snapshot-pause", "ms", Samples.Median(pauses), null, null, 20, pauses.Count)];
    }

    /// <summary>Until the next command has answered, after a change that makes it worth while.</summary>
    private static async Task<IReadOnlyList<Result>> RollBackAsync(BenchHost host)
    {
        var sandbox = await host.CreateAsync("container");
        await host.Api.SnapshotAsync(new SnapshotParams { Ref = sandbox.Id, Name = "base" }, None);
        var bundle = await host.Runc.BundleAsync("rollback-peer", "/bin/true");
        var count = host.Times(30);
        var (ours, peer) = await Samples.SideBySideAsync(
            count,
            async () =>
            {
                await host.Api.RollBackAsync(new RollbackParams { Ref = sandbox.Id, Snapshot = "base" }, None);
                await ExecFigures.ExecAsync(host, sandbox.Id, "/bin/true");
            },
            () => host.Runc.RunOnceAsync(bundle));
        await host.DestroyAsync(sandbox.Id);
        return [new Result("rollback", "ms", ours, "runc run", peer, 1.5, count)];
    }

    /// <summary>Ten forks of one instant, each answering, against ten sandboxes made one after the other, each answering.</summary>
    private static async Task<IReadOnlyList<Result>> ForkAsync(BenchHost host)
    {
        var sandbox = await host.CreateAsync("container");
        var count = host.Times(10);
        List<double> ours = [], peer = [];
        for (var i = 0; i < count; i++)
        {
            IReadOnlyList<SandboxInfo> forks = [];
            ours.Add(await Samples.TimeAsync(async () =>
            {
                forks = (await host.Api.ForkAsync(new ForkParams { Ref = sandbox.Id, Count = Forks }, None)).Sandboxes;
                await Task.WhenAll(forks.Select(f => ExecFigures.ExecAsync(host, f.Id, "/bin/true")));
            }));
            var created = new List<SandboxInfo>();
            peer.Add(await Samples.TimeAsync(async () =>
            {
                for (var n = 0; n < Forks; n++)
                {
                    created.Add(await host.CreateAsync("container"));
                    await ExecFigures.ExecAsync(host, created[^1].Id, "/bin/true");
                }
            }));
            foreach (var gone in forks.Concat(created))
            {
                await host.DestroyAsync(gone.Id);
            }
        }

        await host.DestroyAsync(sandbox.Id);
        return [new Result("fork-10", "ms", Samples.Median(ours), "10 x create", Samples.Median(peer), 0.5, count)];
    }
}
