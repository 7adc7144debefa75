using System.Runtime.InteropServices;
using Vivarium.Linux.Files;
using Vivarium.Linux.Mounts;
using Vivarium.Linux.Processes;
using Vivarium.TestKit;
using Vivarium.Transport.Host;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Support;

/// <summary>
/// A real vivd with directories and a cgroup root of its own. At its end everything is destroyed through the API, and nothing may be left: no process, mount,
/// cgroup, runtime directory, volume.
/// </summary>
internal sealed class TestDaemon : IAsyncDisposable
{
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(30);

    private readonly string programs;
    private readonly string[] settings;
    private readonly SafeHandle? stderr;
    private readonly LeakCheck leaks;
    private ChildProcess? process;
    private string? pool;

    private TestDaemon(string programs, string[] settings, SafeHandle? stderr = null)
    {
        this.programs = programs;
        this.settings = settings;
        this.stderr = stderr;
        CgroupRoot = "/vh-" + Path.GetFileName(Root)[3..];
        leaks = LeakCheck.Begin(new LeakScope { Process = false, MountsBelow = [Root], LoopFilesBelow = [Root], CgroupRoot = CgroupRoot, ProcessesMentioning = Root });
    }

    public string Root { get; } = Directory.CreateTempSubdirectory("vh.").FullName;

    public string State => Path.Combine(Root, "s");

    public string Runtime => Path.Combine(Root, "r");

    public string Socket => Path.Combine(Runtime, "vivd.sock");

    public string CgroupRoot { get; }

    public int Pid => process!.Pid;

    /// <summary>Changes how it is started from now on.</summary>
    public Func<SpawnOptions, SpawnOptions> Launch { get; set; } = static usual => usual;

    public string Log => File.ReadAllText(Path.Combine(Root, "log"));

    public static Task<TestDaemon> StartAsync(params string[] settings) => StartAsync(null, settings);

    /// <summary>With another standard error than its log file.</summary>
    public static async Task<TestDaemon> StartAsync(SafeHandle? stderr, string[] settings)
    {
        var daemon = new TestDaemon(await Programs.DirectoryAsync(), settings, stderr);
        await daemon.StartAgainAsync();
        return daemon;
    }

    /// <summary>Its state, but not its pool, is on a file system of this size.</summary>
    public static async Task<TestDaemon> StartOnSmallDiskAsync(string size)
    {
        var root = Directory.CreateTempSubdirectory("vp.").FullName;
        var daemon = new TestDaemon(await Programs.DirectoryAsync(), ["VIVARIUM_POOL_PATH=" + root]) { pool = root };
        Directory.CreateDirectory(daemon.State);
        Mount.FileSystem("viv-test", daemon.State, "tmpfs", data: "size=" + size);
        await daemon.StartAgainAsync();
        return daemon;
    }

    /// <summary>What a restart of the machine leaves: the disk. Every process is gone, every mount, and all of the runtime directory.</summary>
    /// <param name="keepRuntime">Where the runtime directory is on a disk, against what it should be.</param>
    public void PullThePlug(bool keepRuntime = false)
    {
        process!.Signal(Signals.SIGKILL);
        process.Exited.Wait(StartTime);
        while (ProcessesOf(Root).Any() || Cgroups().SelectMany(ProcessesBelow).Any())
        {
            KillSandboxes(supervisorsOnly: false);
        }

        foreach (var cgroup in Cgroups().Reverse())
        {
            foreach (var below in Directory.EnumerateDirectories(cgroup, "*", SearchOption.AllDirectories).Append(cgroup))
            {
                Removed(below);
            }
        }

        Mount.Unmount(Path.Combine(State, "pool"));
        if (!keepRuntime)
        {
            Directory.Delete(Runtime, recursive: true);
        }
    }

    /// <summary>Starts a process; what it does is up to the test.</summary>
    public ChildProcess Spawn()
    {
        using var log = File.OpenHandle(Path.Combine(Root, "log"), FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        return ChildProcess.Start(Launch(new SpawnOptions
        {
            FileName = Path.Combine(programs, "vivd", "vivd"),
            Argv = ["vivd", "run"],
            Env = Merged(
            [
                "PATH=" + SpawnOptions.DefaultPath,
                "DOTNET_ROOT=" + (Environment.GetEnvironmentVariable("DOTNET_ROOT") ?? Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "../../.."))),
                "VIVARIUM_CONFIG=/dev/null",
                "VIVARIUM_PATHS_STATE=" + State,
                "VIVARIUM_PATHS_RUNTIME=" + Runtime,
                "VIVARIUM_RUNTIME_CGROUP_ROOT=" + CgroupRoot,
                "VIVARIUM_RUNTIME_SUPERVISOR=" + Path.Combine(programs, "viv-supervisor"),
                "VIVARIUM_RUNTIME_GUEST_AGENT=" + Path.Combine(programs, "viv-guest"),
                "VIVARIUM_POOL_STORE=local-disk",
                "VIVARIUM_DEFAULTS_TEMPLATE=tiny",
                "VIVARIUM_DEFAULTS_RUNTIME=" + (Environment.GetEnvironmentVariable("VIVARIUM_TEST_RUNTIME") ?? "container"),
                "VIVARIUM_DAEMON_LOG_LEVEL=debug",
                "VIVARIUM_WARM_POOL_ENABLED=false",
            ]),
            Fds = [new FdMapping((int)(stderr ?? log).DangerousGetHandle(), 2)],
            NewSession = true,
        }));
    }

    /// <summary>The test's own settings take the place of the usual ones.</summary>
    private string[] Merged(string[] usual) => [.. usual.Where(u => !settings.Any(s => s.Split('=')[0] == u.Split('=')[0])), .. settings];

    /// <summary>Starts the daemon (again) and returns when it answers.</summary>
    public async Task StartAgainAsync()
    {
        process = Spawn();
        await Eventually.True(
            async () =>
            {
                Assert.False(process.Exited.IsCompleted, "vivd ended at once:\n" + Log);
                try
                {
                    await using var client = await HostClient.ConnectAsync(Socket);
                    await client.VersionAsync(CancellationToken.None);
                    return true;
                }
                catch (VivariumException)
                {
                    return false;
                }
            },
            StartTime);
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        process!.Signal(Signals.SIGKILL);
        await process.Exited.WaitAsync(StartTime);
    }

    /// <summary>SIGTERM; returns the exit code.</summary>
    public async Task<int?> StopAsync()
    {
        process!.Signal(Signals.SIGTERM);
        return (await process.Exited.WaitAsync(StartTime)).Code;
    }

    public Task<HostClient> ConnectAsync() => HostClient.ConnectAsync(Socket);

    public async Task<SandboxInfo> CreateAsync(string? name = null)
    {
        await using var client = await ConnectAsync();
        return await client.CreateAsync(new CreateParams { Name = name }, CancellationToken.None);
    }

    public async Task<RunReply> RunAsync(string reference, params string[] command)
    {
        await using var client = await ConnectAsync();
        return await client.ExecAsync(new RunParams { Ref = reference, Request = new ExecRequest { Argv = command } }, CancellationToken.None);
    }

    public async Task<SandboxInfo> GetAsync(string reference)
    {
        await using var client = await ConnectAsync();
        return await client.GetAsync(reference, CancellationToken.None);
    }

    public async Task<IReadOnlyList<SandboxInfo>> ListAsync()
    {
        await using var client = await ConnectAsync();
        return (await client.ListAsync(new ListParams(), CancellationToken.None)).Sandboxes;
    }

    public async Task DestroyAsync(string reference)
    {
        await using var client = await ConnectAsync();
        await client.DestroyAsync(new DestroyParams { Ref = reference, Force = true, Now = true }, CancellationToken.None);
    }

    public async Task DestroyAllAsync()
    {
        foreach (var sandbox in await ListAsync())
        {
            await DestroyAsync(sandbox.Id);
        }
    }

    /// <summary>Waits until nothing of any sandbox is left but what the daemon itself needs.</summary>
    public Task EmptyAsync() => Eventually.True(() => Leftovers().Length == 0, TimeSpan.FromSeconds(20), "nothing is left: " + Leftovers());

    /// <summary>What is left of sandboxes, for a message.</summary>
    public string Leftovers()
    {
        var left = Directory.EnumerateDirectories(Runtime).Where(static d => Path.GetFileName(d).Length == 20)
            .Concat(Below("sandboxes")).Concat(Below("pool/sandboxes")).Concat(Below("pool/snapshots")).Concat(Cgroups());
        return string.Join('\n', left);
    }

    /// <summary>SIGKILL for the supervisors, or for them and everything that runs for and in sandboxes.</summary>
    public void KillSandboxes(bool supervisorsOnly)
    {
        foreach (var (pid, line) in ProcessesOf(Root))
        {
            if (pid != Pid && (line.StartsWith("viv-supervisor", StringComparison.Ordinal) || !supervisorsOnly))
            {
                Signals.Send(pid, Signals.SIGKILL);
            }
        }

        foreach (var pid in supervisorsOnly ? [] : Cgroups().SelectMany(ProcessesBelow))
        {
            Signals.Send(pid, Signals.SIGKILL);
        }
    }

    /// <summary>What is on the machine for none of these sandboxes, or for one that does not run; empty when all is in order.</summary>
    public string NotOwned(IReadOnlyList<SandboxInfo> sandboxes)
    {
        var known = sandboxes.Select(static s => s.Id).ToHashSet();
        var live = sandboxes.Where(static s => s.State is SandboxState.Running or SandboxState.Paused).Select(static s => s.Id).ToHashSet();
        var runtime = Directory.EnumerateDirectories(Runtime).Where(static d => Path.GetFileName(d).Length == 20).ToArray();
        var left = runtime.Concat(Cgroups()).Where(d => !live.Contains(Path.GetFileName(d)))
            .Concat(Below("sandboxes").Concat(Below("pool/sandboxes")).Where(d => !known.Contains(Path.GetFileName(d))))
            .Concat(ProcessesOf(Root).Where(p => p.Pid != Pid && !live.Any(id => p.Line.Contains(id, StringComparison.Ordinal))).Select(static p => $"process {p.Pid} {p.Line}"))
            .Concat(MountTable.AtAndBelow(Root).Where(m => m.MountPoint != Path.Combine(State, "pool") && !live.Any(id => m.MountPoint.Contains(id, StringComparison.Ordinal))).Select(static m => "mount " + m.MountPoint))
            .Concat(sandboxes.Where(s => !Directory.Exists(Path.Combine(State, "pool/sandboxes", s.Id))).Select(static s => "no volume of " + s.Id));
        return string.Join('\n', left);
    }

    public async ValueTask DisposeAsync()
    {
        if (process!.Exited.IsCompleted)
        {
            await StartAgainAsync();
        }

        await DestroyAllAsync();
        await DropHeldAsync();
        await EmptyAsync();
        if (File.Exists(Path.Combine(State, "pool.img")))
        {
            await using var client = await ConnectAsync();
            await client.ShutdownAsync(new ShutdownParams { Unmount = true }, CancellationToken.None);
            Assert.Equal(0, (await process.Exited.WaitAsync(StartTime)).Code);
        }
        else
        {
            Assert.Equal(0, await StopAsync());
        }

        foreach (var cgroup in Cgroups("supervisors").Concat(Cgroups(string.Empty)))
        {
            // The kernel lets go of an ended process's cgroup a moment after the process has been collected.
            await Eventually.True(() => Removed(cgroup));
        }

        Mount.Unmount(Path.Combine(State, "pool"));
        Mount.Unmount(State);
        if (pool is not null)
        {
            Directory.Delete(pool, recursive: true);
        }

        await leaks.AssertNothingNewAsync(TimeSpan.FromSeconds(20));
        Directory.Delete(Root, recursive: true);
    }

    /// <summary>Held snapshots outlive their sandbox; here nothing may.</summary>
    private async Task DropHeldAsync()
    {
        await using var client = await ConnectAsync();
        foreach (var held in (await client.SnapshotsAsync(new SnapshotListParams(), CancellationToken.None)).Snapshots)
        {
            await client.HoldSnapshotAsync(new HoldSnapshotParams { Snapshot = held.Id, Held = false }, CancellationToken.None);
        }
    }

    private static IEnumerable<(int Pid, string Line)> ProcessesOf(string text)
    {
        foreach (var directory in Directory.GetDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), System.Globalization.CultureInfo.InvariantCulture, out var pid) && pid != Environment.ProcessId
                && (PseudoFile.TryRead(directory + "/cmdline") ?? "").Replace('\0', ' ') is var line && line.Contains(text, StringComparison.Ordinal))
            {
                yield return (pid, line);
            }
        }
    }

    private static IEnumerable<int> ProcessesBelow(string cgroup) => new[] { cgroup }
        .Concat(Directory.Exists(cgroup) ? Directory.EnumerateDirectories(cgroup, "*", SearchOption.AllDirectories) : [])
        .SelectMany(static d => (PseudoFile.TryRead(d + "/cgroup.procs") ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries))
        .Select(static line => int.Parse(line, System.Globalization.CultureInfo.InvariantCulture)).Distinct().ToArray();

    private static bool Removed(string cgroup)
    {
        try
        {
            Directory.Delete(cgroup);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private IEnumerable<string> Below(string name) =>
        Directory.Exists(Path.Combine(State, name)) ? Directory.EnumerateFileSystemEntries(Path.Combine(State, name)) : [];

    private IEnumerable<string> Cgroups() => Cgroups(string.Empty).SelectMany(static c => Directory.EnumerateDirectories(c)).Where(static c => Path.GetFileName(c) != "supervisors");

    private IEnumerable<string> Cgroups(string below) =>
        Directory.EnumerateDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup").Select(root => Path.Join(root, CgroupRoot, below).TrimEnd('/')).Where(Directory.Exists);
}
