using Vivarium.Bench.Measuring;
using Vivarium.Linux.Processes;

namespace Vivarium.Bench.Figures;

/// <summary>Bytes in and out.</summary>
internal static class DataFigures
{
    private const long FileBytes = 256L << 20;
    private const long StreamBytes = 1L << 30;

    public static IReadOnlyList<Figure> All { get; } = [new("files-256m", FilesAsync), new("stdout-1g", StdoutAsync)];

    private static async Task<IReadOnlyList<Result>> FilesAsync(BenchHost host)
    {
        var sandbox = await host.CreateAsync("container");
        var pool = Path.Combine(host.Work, "state", "pool");
        var source = Path.Combine(pool, "bench-source");
        var target = Path.Combine(pool, "bench-target");
        await ShellAsync($"head -c {FileBytes} /dev/urandom > {source}");
        var count = host.Times(5);
        try
        {
            // --sparse and --reflink off: the peer moves the bytes, as we must.
            var (write, writePeer) = await Samples.SideBySideAsync(
                count, () => host.VivQuietAsync("cp", source, $"{sandbox.Name}:/root/file"), () => ShellAsync($"rm -f {target}; cp --reflink=never {source} {target}"));
            var (read, readPeer) = await Samples.SideBySideAsync(
                count, () => host.VivQuietAsync("cp", $"{sandbox.Name}:/root/file", target), () => ShellAsync($"rm -f {target}; cp --reflink=never {source} {target}"));
            return [new Result("file-write-256m", "ms", write, "cp", writePeer, 2, count), new Result("file-read-256m", "ms", read, "cp", readPeer, 2, count)];
        }
        finally
        {
            await host.DestroyAsync(sandbox.Id);
            File.Delete(source);
            File.Delete(target);
        }
    }

    private static async Task<IReadOnlyList<Result>> StdoutAsync(BenchHost host)
    {
        var results = new List<Result>();
        foreach (var runtime in (string[])["container", "gvisor"])
        {
            var sandbox = await host.CreateAsync(runtime);
            var count = host.Times(5);
            try
            {
                var (ours, peer) = await Samples.SideBySideAsync(
                    count,
                    () => host.VivQuietAsync("exec", sandbox.Name, "--", "dd", "if=/dev/zero", "bs=1M", $"count={StreamBytes >> 20}", "status=none"),
                    () => ShellAsync($"dd if=/dev/zero bs=1M count={StreamBytes >> 20} status=none | cat > /dev/null"));
                results.Add(new Result($"stdout-1g-{runtime}", "ms", ours, "cat", peer, runtime == "container" ? 4 : null, count));
            }
            finally
            {
                await host.DestroyAsync(sandbox.Id);
            }
        }

        return results;
    }

    private static async Task ShellAsync(string command)
    {
        var output = await ChildRun.RunAsync("sh", ["-c", command], null, CancellationToken.None);
        if (!output.Succeeded)
        {
            throw new InvalidOperationException($"{command}: {output.Summary}");
        }
    }
}
