using System.Runtime.CompilerServices;
using Vivarium.Bench.Peers;
using Vivarium.Linux.Processes;
using Vivarium.Transport.Host;
using Vivarium.Wire.Host;

namespace Vivarium.Bench;

/// <summary>
/// A daemon of the benchmark's own, with its own state, runtime directory, pool and cgroups, and peers that use the same root file system
/// on the same pool. Everything is removed at the end.
/// </summary>
internal sealed class BenchHost : IAsyncDisposable
{
    private readonly string _work;
    private static readonly TimeSpan CallTime = TimeSpan.FromMinutes(2);

    private readonly IReadOnlyList<string> _environment;
    private bool _warm;

    private BenchHost(string work, bool quick)
    {
        _work = work;
        Quick = quick;
        _environment =
        [
            $"PATH={SpawnOptions.DefaultPath}:{DotnetDirectory}",
            $"DOTNET_ROOT={DotnetDirectory}",
            "HOME=/root",
            $"VIVARIUM_PATHS_STATE={work}/state",
            $"VIVARIUM_PATHS_RUNTIME={work}/run",
            $"VIVARIUM_RUNTIME_CGROUP_ROOT=/vivarium-bench-{System.Environment.ProcessId}",
            "VIVARIUM_POOL_SIZE=16GiB",
            "VIVARIUM_DEFAULTS_TEMPLATE=tiny",
            "VIVARIUM_LIMITS_MAX_SANDBOXES=600",
            "VIVARIUM_CONFIG=/dev/null",
        ];
    }

    /// <summary>Root of the repository.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>Fewer repetitions.</summary>
    public bool Quick { get; }

    /// <summary>Scratch directory on the machine's disk.</summary>
    public string Work => _work;

    /// <summary>The API.</summary>
    public HostClient Api { get; private set; } = null!;

    /// <summary>runc as a peer, on a copy of the template in the same pool.</summary>
    public OciPeer Runc { get; private set; } = null!;

    /// <summary>runsc as a peer: the same program our gvisor runtime uses.</summary>
    public OciPeer Runsc { get; private set; } = null!;

    /// <summary>A writable copy of the tiny template on the pool, for the peers.</summary>
    public string PeerRoot { get; private set; } = "";

    private static string DotnetDirectory => Path.GetDirectoryName(Path.GetFullPath(RuntimeFeatureDirectory()))!;

    /// <summary>Repetitions: as given, or a fifth (at least 3) with --quick.</summary>
    public int Times(int full) => Quick ? Math.Max(3, full / 5) : full;

    public static async Task<BenchHost> StartAsync(bool quick)
    {
        var work = $"/var/tmp/vivarium-bench-{System.Environment.ProcessId}";
        Directory.CreateDirectory(work);
        var host = new BenchHost(work, quick);
        await host.VivAsync("daemon", "start");
        await host.VivAsync("template", "build", "tiny");
        host.Api = await HostClient.ConnectAsync($"{work}/run/vivd.sock", cancellationToken: CancellationToken.None);
        await host.PreparePeersAsync();
        return host;
    }

    /// <summary>Restarts the daemon with its warm pool on or off. It is off for every other figure: a cold start is to be one.</summary>
    public async Task WarmPoolAsync(bool on)
    {
        if (_warm == on)
        {
            return;
        }

        await Api.DisposeAsync();
        await VivAsync("daemon", "stop");
        _warm = on;
        await VivAsync("daemon", "start");
        Api = await HostClient.ConnectAsync($"{_work}/run/vivd.sock", cancellationToken: CancellationToken.None);
    }

    /// <summary>Waits until the warm pool has all it wants.</summary>
    public async Task FilledAsync()
    {
        using var deadline = new CancellationTokenSource(CallTime);
        while ((await Api.HealthAsync(deadline.Token)).WarmPool is not { Shapes: [{ Ready: > 0 } first, ..] } || first.Ready < first.Wanted)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, deadline.Token);
        }
    }

    /// <summary>Runs viv to its end and fails on a bad exit code.</summary>
    public async Task<string> VivAsync(params string[] args)
    {
        var output = await ChildRun.RunAsync(
            VivPath, args, new ChildRunOptions { Env = Environment, Timeout = TimeSpan.FromMinutes(5) }, CancellationToken.None);
        return output.Succeeded ? output.StdoutText.Trim() : throw new InvalidOperationException($"viv {string.Join(' ', args)}: {output.Summary}");
    }

    /// <summary>Runs viv with its output thrown away (to /dev/null, not read by us): for timing.</summary>
    public async Task VivQuietAsync(params string[] args)
    {
        var child = ChildProcess.Start(new SpawnOptions { FileName = VivPath, Argv = [VivPath, .. args], Env = Environment, NewSession = true });
        ChildExit exit;
        try
        {
            exit = await child.Exited.WaitAsync(CallTime);
        }
        catch (TimeoutException)
        {
            child.SignalGroup(Signals.SIGKILL);
            throw;
        }

        if (exit.Code != 0)
        {
            throw new InvalidOperationException($"viv {string.Join(' ', args)} ended with {exit.Code}/{exit.Signal}");
        }
    }

    /// <summary>Creates a sandbox from the tiny template.</summary>
    public async Task<SandboxInfo> CreateAsync(string runtime)
    {
        using var deadline = new CancellationTokenSource(CallTime);
        return await Api.CreateAsync(new CreateParams { Runtime = runtime, Template = "tiny", MemoryBytes = 256L << 20 }, deadline.Token);
    }

    /// <summary>Destroys a sandbox.</summary>
    public async Task DestroyAsync(string id)
    {
        using var deadline = new CancellationTokenSource(CallTime);
        await Api.DestroyAsync(new DestroyParams { Ref = id, Force = true, Now = true }, deadline.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (Api is { } api)
        {
            foreach (var sandbox in (await api.ListAsync(new ListParams(), CancellationToken.None)).Sandboxes)
            {
                await DestroyAsync(sandbox.Id);
            }

            await api.DisposeAsync();
        }

        await VivAsync("daemon", "stop", "--unmount");
        Directory.Delete(_work, recursive: true);
    }

    private IReadOnlyList<string> Environment => [.. _environment, $"VIVARIUM_WARM_POOL_ENABLED={(_warm ? "true" : "false")}"];

    private static string VivPath => Path.Combine(Repository, "artifacts", "dist", "viv");

    private static string RuntimeFeatureDirectory() => System.Environment.ProcessPath!.EndsWith("/dotnet", StringComparison.Ordinal)
        ? System.Environment.ProcessPath
        : Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "../../../dotnet");

    private static string FindRepository([CallerFilePath] string here = "")
    {
        for (var directory = Path.GetDirectoryName(here); directory is not null; directory = Path.GetDirectoryName(directory))
        {
            if (File.Exists(Path.Combine(directory, "Vivarium.slnx")))
            {
                return directory;
            }
        }

        throw new InvalidOperationException("the benchmark must run from its checkout");
    }

    private async Task PreparePeersAsync()
    {
        // The peers' root is a busybox tree of the same content on the same disk class as the sandboxes: the pool.
        var template = (await Api.TemplateAsync("tiny", CancellationToken.None)).Digest;
        var source = Path.Combine(_work, "state", "pool", "templates", template.Replace("sha256:", "", StringComparison.Ordinal));
        PeerRoot = Path.Combine(_work, "state", "pool", "bench-peer");
        var copy = await ChildRun.RunAsync("cp", ["-a", source, PeerRoot], null, CancellationToken.None);
        if (!copy.Succeeded)
        {
            throw new InvalidOperationException($"copying the template for the peers: {copy.Summary}");
        }

        Runc = new OciPeer("runc", Path.Combine(_work, "runc"), PeerRoot, []);
        var info = await Api.InfoAsync(CancellationToken.None);
        var runsc = info.Engines.FirstOrDefault(e => e.Engine == "runsc" && e.Default)?.Path ?? "runsc";
        Runsc = new OciPeer(runsc, Path.Combine(_work, "runsc"), PeerRoot, ["--network=none", "--ignore-cgroups"]);
    }
}
