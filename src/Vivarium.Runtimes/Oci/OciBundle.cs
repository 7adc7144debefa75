using System.Globalization;
using System.Text.Json;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Oci;

/// <summary>Writes an OCI bundle: the directory with the <c>config.json</c> an engine starts a container from.</summary>
internal static class OciBundle
{
    /// <summary>Where the agent is inside: on a tmpfs of the engine's making, so that the volume never holds it.</summary>
    public const string AgentPath = "/run/vivarium/viv-guest";

    private const long CpuPeriodUs = 100_000;
    private const string SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>Writes <c>config.json</c>, mode 0600 because it holds the boot token.</summary>
    public static void Write(string directory, RuntimeStartOptions options, OciEngine engine, string rootPath, IReadOnlyList<string>? agentArguments = null)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(Config(options, engine, rootPath, agentArguments ?? ["init"]), OciJson.Default.OciConfig);
        using var file = new FileStream(Path.Combine(directory, "config.json"), new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(bytes);
    }

    internal static OciConfig Config(RuntimeStartOptions options, OciEngine engine, string rootPath, IReadOnlyList<string> agentArguments)
    {
        var spec = options.Spec;
        return new OciConfig
        {
            Root = new OciRoot(rootPath, Readonly: false),
            Hostname = spec.Hostname ?? spec.Name,
            Process = new OciProcess
            {
                Args = [AgentPath, .. agentArguments, .. options.InitArguments ?? []],
                Env = [$"PATH={SearchPath}", $"VIV_TOKEN={options.Token}"],
                Capabilities = new OciCapabilities(Hardening.Capabilities, Hardening.Capabilities, Hardening.Capabilities),
                Rlimits = Hardening.Rlimits(HostAllowance.Current),
                OomScoreAdj = engine.ProtectsInitFromOom && HostAllowance.Current.MayRaiseLimits ? -900 : null,
            },
            Mounts = Mounts(spec, engine, rootPath),
            Linux = new OciLinux
            {
                CgroupsPath = spec.CgroupPath,
                Resources = Resources(spec.Resources, engine),
                Namespaces = Namespaces(spec),
                UidMappings = Mapping(spec.IdRange),
                GidMappings = Mapping(spec.IdRange),
                Seccomp = engine.UsesSeccompProfile ? SeccompProfile.Default : null,
                MaskedPaths = Hardening.MaskedPaths,
                ReadonlyPaths = Hardening.ReadonlyPaths,
            },
        };
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

    private static List<OciMount> Mounts(SupervisorSpec spec, OciEngine engine, string rootPath)
    {
        var shm = (Math.Max(spec.Resources.MemoryBytes / 2, 1024 * 1024) / 1024).ToString(CultureInfo.InvariantCulture);
        List<OciMount> mounts =
        [
            new("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"]),
            new("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=1024k"]),
            new("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            new("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", $"size={shm}k"]),
            new("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
            new("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
            new("/run", "tmpfs", "tmpfs", ["nosuid", "nodev", "mode=755", $"size={shm}k"]),
            new(AgentPath, "bind", spec.GuestAgentPath, ["bind", "ro", "nosuid", "nodev"]),
        ];
        if (engine.HidesEmptyTmp && Directory.Exists(rootPath + "/tmp"))
        {
            mounts.Add(new("/tmp", "bind", rootPath + "/tmp", ["bind", "rw", "nosuid", "nodev"]));
        }

        foreach (var share in spec.Shares ?? [])
        {
            // Read-only holds for one mount only: so a read-only share does not bring what is mounted below it.
            mounts.Add(new(share.GuestPath, "bind", share.HostPath, share.ReadOnly ? ["bind", "ro", "nosuid", "nodev"] : ["rbind", "rw", "nosuid", "nodev"]));
        }

        return mounts;
    }
}
