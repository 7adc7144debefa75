using System.Globalization;
using System.Text.Json;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Oci;

/// <summary>Writes an OCI bundle: the directory with the <c>config.json</c> an engine starts a container from.</summary>
internal static class OciBundle
{
    /// <summary>Where the agent is inside: on a tmpfs of the engine's making, so that the volume never holds it.</summary>
    public const string AgentPath = "/run/vivarium/viv-guest";

    private const string WorkDirectory = "/run/vivarium/cgroup";
    private const long CpuPeriodUs = 100_000;
    private const string SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>Writes <c>config.json</c>, mode 0600 because it holds the boot token.</summary>
    public static void Write(string directory, RuntimeStartOptions options, OciEngine engine, OciPlacement placement)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(Config(options, engine, placement), OciJson.Default.OciConfig);
        using var file = new FileStream(Path.Combine(directory, "config.json"), new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(bytes);
    }

    internal static OciConfig Config(RuntimeStartOptions options, OciEngine engine, OciPlacement placement)
    {
        var spec = options.Spec;
        return new OciConfig
        {
            Root = new OciRoot(placement.RootPath, Readonly: false),
            Hostname = spec.Hostname ?? spec.Name,
            Process = new OciProcess
            {
                Args = [AgentPath, .. placement.AgentArguments, .. options.InitArguments ?? []],
                Env = Environment(options, placement),
                Capabilities = new OciCapabilities(Hardening.Capabilities, Hardening.Capabilities, Hardening.Capabilities),
                Rlimits = Hardening.Rlimits(HostAllowance.Current),
                OomScoreAdj = engine.ProtectsInitFromOom && HostAllowance.Current.MayRaiseLimits ? -900 : null,
            },
            Mounts = Mounts(spec, engine, placement),
            Linux = new OciLinux
            {
                CgroupsPath = spec.CgroupPath,
                Resources = Resources(placement.WorkCgroups.Count > 0 ? WorkCgroup.WithAgent(spec.Resources) : spec.Resources, engine),
                Namespaces = Namespaces(spec),
                UidMappings = Mapping(spec.IdRange),
                GidMappings = Mapping(spec.IdRange),
                Seccomp = engine.UsesSeccompProfile ? SeccompProfile.Default : null,
                MaskedPaths = Hardening.MaskedPaths,
                ReadonlyPaths = Hardening.ReadonlyPaths,
            },
        };
    }

    private static List<string> Environment(RuntimeStartOptions options, OciPlacement placement)
    {
        List<string> variables = [$"PATH={SearchPath}", $"VIV_TOKEN={options.Token}"];
        if (placement.WorkCgroups.Count > 0)
        {
            variables.Add($"{WorkCgroup.Variable}={string.Join(':', placement.WorkCgroups.Keys.Select(static controller => $"{WorkDirectory}/{controller}"))}");
        }

        return variables;
    }

    private static OciIdMapping[]? Mapping(IdRange? range) => range is null ? null : [new(0, range.First, range.Count)];

    private static OciResources Resources(ResourceSpec limits, OciEngine engine) => new()
    {
        Devices = [new(Allow: false, "rwm")],
        Cpu = new OciCpu(Math.Max(1_000, (long)(limits.Cpus * CpuPeriodUs)), (ulong)CpuPeriodUs, (ulong)Math.Clamp(limits.Cpus * 1024, 2, 262_144)),
        // Swap means memory and swap together: equal to the limit, so that a sandbox cannot swap.
        Memory = new OciMemory(limits.MemoryBytes, engine.SwapAccounted ? limits.MemoryBytes : null),
        Pids = new OciPids(limits.Pids),
    };

    private static List<OciNamespace> Namespaces(SupervisorSpec spec)
    {
        List<OciNamespace> namespaces =
            [new("pid"), new("mount"), new("ipc"), new("uts"), new("cgroup"), new("network", spec.Network.NamespacePath)];
        if (spec.IdRange is not null)
        {
            namespaces.Add(new("user"));
        }

        return namespaces;
    }

    private static List<OciMount> Mounts(SupervisorSpec spec, OciEngine engine, OciPlacement placement)
    {
        var shm = (Math.Max(spec.Resources.MemoryBytes / 2, 1024 * 1024) / 1024).ToString(CultureInfo.InvariantCulture);
        List<OciMount> mounts =
        [
            new("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"]),
            new("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=1024k"]),
            new("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            new("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", $"size={shm}k"]),
            new("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
            placement.SysPath is { } sys
                ? new("/sys", "bind", sys, ["bind", "nosuid", "noexec", "nodev", "ro"])
                : new("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
            new("/run", "tmpfs", "tmpfs", ["nosuid", "nodev", "mode=755", $"size={shm}k"]),
            new(AgentPath, "bind", spec.GuestAgentPath, ["bind", "ro", "nosuid", "nodev"]),
        ];
        foreach (var (controller, directory) in placement.WorkCgroups)
        {
            mounts.Add(new($"{WorkDirectory}/{controller}/{WorkCgroup.JoinFile}", "bind", $"{directory}/{WorkCgroup.JoinFile}", ["bind", "rw", "nosuid", "nodev", "noexec"]));
        }

        if (engine.HidesEmptyTmp && Directory.Exists(placement.RootPath + "/tmp"))
        {
            mounts.Add(new("/tmp", "bind", placement.RootPath + "/tmp", ["bind", "rw", "nosuid", "nodev"]));
        }

        foreach (var share in spec.Shares ?? [])
        {
            // What is bound is the host's own view of the share, read-only as a whole where it must be; the flags here say the same once more.
            mounts.Add(new(share.GuestPath, "bind", share.HostPath, ["rbind", share.ReadOnly ? "ro" : "rw", "nosuid", "nodev"]));
        }

        return mounts;
    }
}

/// <summary>What is decided at the start, beside the options.</summary>
internal sealed record OciPlacement
{
    /// <summary>Directory or mount the container's root file system is.</summary>
    public required string RootPath { get; init; }

    /// <summary>A sysfs to bind in, where the engine cannot mount its own; null where it can.</summary>
    public string? SysPath { get; init; }

    /// <summary>First arguments of the agent.</summary>
    public IReadOnlyList<string> AgentArguments { get; init; } = ["init"];

    /// <summary>Directory of the <see cref="WorkCgroup"/> for each controller; empty where there is none.</summary>
    public IReadOnlyDictionary<string, string> WorkCgroups { get; init; } = new Dictionary<string, string>();
}
