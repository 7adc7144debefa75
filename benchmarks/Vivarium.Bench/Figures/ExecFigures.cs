using Vivarium.Bench.Measuring;
using Vivarium.Bench.Peers;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Bench.Figures;

/// <summary>Running a command in a sandbox that is there already.</summary>
internal static class ExecFigures
{
    public static IReadOnlyList<Figure> All { get; } =
    [
        new("exec-container", host => ApiExecAsync(host, "exec-container", "container", host.Runc, "runc exec", 0.10, 200)),
        new("exec-gvisor", host => ApiExecAsync(host, "exec-gvisor", "gvisor", host.Runsc, "runsc exec", 0.35, 60)),
        new("viv-exec", VivExecAsync),
    ];

    private static async Task<IReadOnlyList<Result>> ApiExecAsync(BenchHost host, string name, string runtime, OciPeer engine, string peerName, double goal, int times)
    {
        var sandbox = await host.CreateAsync(runtime);
        var bundle = await engine.BundleAsync($"{name}-peer", "/bin/sleep", "3600");
        var container = await engine.StartAsync(bundle);
        var count = host.Times(times);
        try
        {
            var (ours, peer) = await Samples.SideBySideAsync(count, () => ExecAsync(host, sandbox.Id, "/bin/true"), () => engine.ExecAsync(container, "/bin/true"));
            List<Result> results = [new(name, "ms", ours, peerName, peer, goal, count)];
            if (runtime == "gvisor")
            {
                results.Add(await BareSpawnAsync(host, sandbox.Id, ours, count));
            }

            return results;
        }
        finally
        {
            await engine.RemoveAsync(container);
            await host.DestroyAsync(sandbox.Id);
        }
    }

    /// <summary>A spawn inside the same sandbox, without us: a shell there starts true many times, and an empty loop is taken off.</summary>
    private static async Task<Result> BareSpawnAsync(BenchHost host, string sandbox, double ours, int samples)
    {
        const int Spawns = 40;
        var loop = await Samples.TimeAsync(() => ExecAsync(host, sandbox, "/bin/sh", "-c", $"i=0; while [ $i -lt {Spawns} ]; do /bin/true; i=$((i+1)); done"));
        var empty = await Samples.TimeAsync(() => ExecAsync(host, sandbox, "/bin/sh", "-c", $"i=0; while [ $i -lt {Spawns} ]; do i=$((i+1)); done"));
        return new Result("exec-gvisor-spawn", "ms", ours, "spawn inside", (loop - empty) / Spawns, 1.3, samples);
    }

    private static async Task<IReadOnlyList<Result>> VivExecAsync(BenchHost host)
    {
        var sandbox = await host.CreateAsync("container");
        var container = await host.Runc.StartAsync(await host.Runc.BundleAsync("viv-exec-peer", "/bin/sleep", "3600"));
        var count = host.Times(100);
        try
        {
            var (ours, peer) = await Samples.SideBySideAsync(
                count, () => host.VivQuietAsync("exec", sandbox.Name, "--", "true"), () => host.Runc.ExecAsync(container, "true"));
            return [new Result("viv-exec", "ms", ours, "runc exec", peer, 0.60, count)];
        }
        finally
        {
            await host.Runc.RemoveAsync(container);
            await host.DestroyAsync(sandbox.Id);
        }
    }

    /// <summary>Runs a command through the daemon's API and fails unless it ends with 0.</summary>
    internal static async Task ExecAsync(BenchHost host, string sandbox, params string[] argv)
    {
        var reply = await host.Api.ExecAsync(new RunParams { Ref = sandbox, Request = new ExecRequest { Argv = argv } }, CancellationToken.None);
        if (reply.Exit.Code != 0)
        {
            throw new InvalidOperationException($"{string.Join(' ', argv)} ended with {reply.Exit.Code}/{reply.Exit.Signal}");
        }
    }
}
