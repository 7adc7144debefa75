using Vivarium.Wire.Errors;

namespace Vivarium.Runtimes.Oci;

/// <summary>How one engine program is driven: its command lines, and what it can do.</summary>
internal sealed record OciEngine
{
    /// <summary>Engine setting: gVisor platform, <c>systrap</c>, <c>ptrace</c> or <c>kvm</c>.</summary>
    public const string PlatformOption = "platform";

    /// <summary>Engine setting: <c>true</c> when the engine cannot set up cgroups here, so that we do it around it.</summary>
    public const string IgnoreCgroupsOption = "ignore_cgroups";

    /// <summary>Engine setting: <c>true</c> when this version saves memory and brings it back.</summary>
    public const string MemorySnapshotsOption = "memory_snapshots";

    private readonly bool isGvisor;
    private readonly IReadOnlyDictionary<string, string> settings;

    public OciEngine(string name, string path, IReadOnlyDictionary<string, string>? options)
    {
        if (name is not ("runc" or "crun" or "runsc"))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"cannot use engine '{name}': it is not an OCI engine", "use runc, crun or runsc");
        }

        Name = name;
        Path = path;
        isGvisor = name == "runsc";
        settings = options ?? new Dictionary<string, string>();
    }

    /// <summary><c>runc, crun, runsc</c>.</summary>
    public string Name { get; }

    /// <summary>Absolute path of the program.</summary>
    public string Path { get; }

    /// <summary>Our filter guards the host kernel; gVisor brings its own, stricter one for the sandbox process.</summary>
    public bool UsesSeccompProfile => !isGvisor;

    /// <summary>Whether the init may ask to be the last the out-of-memory killer takes.</summary>
    public bool ProtectsInitFromOom => !isGvisor;

    /// <summary>Whether the kernel accounts swap; without it a swap limit is an error. Source: memory.memsw.* of cgroup v1, memory.swap.* of v2.</summary>
    public bool SwapAccounted { get; init; } = true;

    /// <summary>Whether the sandbox has an interface besides its loopback.</summary>
    public bool HasNetwork { get; init; }

    /// <summary>gVisor takes addresses and routes from its namespace once, when it starts; with the others the namespace is the sandbox's at any time.</summary>
    public bool ReadsInterfacesAtStart => isGvisor;

    /// <summary>Whether processes and memory can be saved and brought back.</summary>
    public bool Checkpoints => isGvisor && settings.TryGetValue(MemorySnapshotsOption, out var value) && value == "true";

    /// <summary>Whether processes inside are the host kernel's, so that the agent can place them in cgroups of their own.</summary>
    public bool JoinsWorkCgroup => !isGvisor;

    /// <summary>gVisor puts a tmpfs of its own over an empty /tmp unless something is mounted there; then what is written there would not be in the volume.</summary>
    public bool HidesEmptyTmp => isGvisor;

    /// <summary>Whether the version 2 hierarchy must be kept from it: see <see cref="EngineView.HideUnifiedHierarchy"/>.</summary>
    public bool RefusesHybrid => Name == "crun";

    /// <summary>Whether it leaves cgroups to us.</summary>
    public bool IgnoresCgroups => settings.TryGetValue(IgnoreCgroupsOption, out var value) && value == "true";

    /// <summary>Arguments that start a container and let the engine program end, argv[0] included.</summary>
    public IReadOnlyList<string> Run(string stateRoot, string bundle, string pidFile, string id) =>
        [.. Global(stateRoot), "run", "--detach", "--bundle", bundle, "--pid-file", pidFile, id];

    /// <summary>Arguments that bring a saved container back.</summary>
    public IReadOnlyList<string> Restore(string stateRoot, string bundle, string pidFile, string image, string id) =>
        [.. Global(stateRoot), "restore", "--detach", "--bundle", bundle, "--pid-file", pidFile, "--image-path", image, id];

    /// <summary>Arguments that save a paused container, which stays paused. Uncompressed: the pool may compress, and the container stands still meanwhile.</summary>
    public IReadOnlyList<string> Checkpoint(string stateRoot, string image, string id) =>
        [.. Global(stateRoot), "checkpoint", "--leave-running", "--compression=none", "--exclude-committed-zero-pages", "--image-path", image, id];

    /// <summary>Arguments that run our agent with a right the sandbox's own processes do not have, to set the host name.</summary>
    public IReadOnlyList<string> SetHostname(string stateRoot, string id, string hostname) =>
        [.. Global(stateRoot), "exec", "--cap", "CAP_SYS_ADMIN", "--cwd", "/", id, OciBundle.AgentPath, "hostname", hostname];

    /// <summary>Arguments of any other command on a container.</summary>
    public IReadOnlyList<string> Command(string stateRoot, params ReadOnlySpan<string> arguments) => [.. Global(stateRoot), .. arguments];

    private List<string> Global(string stateRoot)
    {
        List<string> arguments = [Path, "--root", stateRoot];
        if (isGvisor)
        {
            // Writes must land in the volume, so no overlay over the root file system. Its own network stack takes over the interface it finds at its start, or has loopback only.
            arguments.AddRange(["--overlay2=none", HasNetwork ? "--network=sandbox" : "--network=none"]);
            if (settings.TryGetValue(PlatformOption, out var platform))
            {
                arguments.Add($"--platform={platform}");
            }

            if (Checkpoints && HasNetwork)
            {
                // Connections to the outside cannot be saved: without this they would forbid it, with it they are reset.
                arguments.Add("--net-disconnect-ok=true");
            }

            if (IgnoresCgroups)
            {
                arguments.Add("--ignore-cgroups");
            }
        }

        return arguments;
    }
}
