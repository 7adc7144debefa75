namespace Vivarium.Wire.Supervisor;

/// <summary>
/// Everything a supervisor needs, written by the daemon (mode 0600, atomic) to <c>&lt;runtime dir&gt;/&lt;id&gt;/supervisor.json</c> before it
/// starts <c>viv-supervisor &lt;runtime dir&gt;/&lt;id&gt;</c>. Holds no secret: secrets go over the socket. Unknown members are an error.
/// </summary>
public sealed record SupervisorSpec
{
    /// <summary>Version of this record and of the supervisor protocol the daemon speaks.</summary>
    public required int Protocol { get; init; }

    /// <summary>Sandbox id, 20 characters of [a-z0-9].</summary>
    public required string SandboxId { get; init; }

    /// <summary>Name for people; also the default host name.</summary>
    public required string Name { get; init; }

    /// <summary><c>container, gvisor, vm, direct</c>.</summary>
    public required string Runtime { get; init; }

    /// <summary>Engine: <c>runc, crun, runsc, qemu, firecracker, direct</c>.</summary>
    public required string Engine { get; init; }

    /// <summary>Absolute path of the engine's program; empty for <c>direct</c>.</summary>
    public required string EnginePath { get; init; }

    /// <summary>Version of the engine's program, as probing found it.</summary>
    public string? EngineVersion { get; init; }

    /// <summary>Engine settings decided by probing, for example <c>platform=systrap</c> for runsc.</summary>
    public IReadOnlyDictionary<string, string>? EngineOptions { get; init; }

    /// <summary>Absolute path of viv-guest.</summary>
    public required string GuestAgentPath { get; init; }

    /// <summary>Directory of the sandbox's volume, used as its root file system.</summary>
    public required string RootPath { get; init; }

    /// <summary>Directory for logs (<c>console.log</c>, <c>supervisor.log</c>, <c>process-*.log</c>).</summary>
    public required string LogDirectory { get; init; }

    /// <summary>Limits.</summary>
    public required ResourceSpec Resources { get; init; }

    /// <summary>Host directories shared into the sandbox.</summary>
    public IReadOnlyList<ShareSpec>? Shares { get; init; }

    /// <summary>Ports to publish on the host before the engine starts; one that cannot be had fails the start.</summary>
    public IReadOnlyList<PublishedPort>? Ports { get; init; }

    /// <summary>Network.</summary>
    public required NetworkSpec Network { get; init; }

    /// <summary>Environment every process gets.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Default user of processes.</summary>
    public string? DefaultUser { get; init; }

    /// <summary>Default working directory of processes.</summary>
    public string? DefaultCwd { get; init; }

    /// <summary>Certificate authorities (PEM) the sandbox trusts besides its template's.</summary>
    public string? CaCertificates { get; init; }

    /// <summary>Host name; default: the name.</summary>
    public string? Hostname { get; init; }

    /// <summary>
    /// Machine id, 32 hex digits, for a sandbox whose volume is another's copy: the guest takes it and fresh randomness with <c>resumed</c> before it counts as running. Absent = keeps
    /// what the volume says.
    /// </summary>
    public string? NewMachineId { get; init; }

    /// <summary>
    /// Directory that holds a saved sandbox (see <see cref="CheckpointParams"/>): its processes and memory are brought back over the volume, which is as it was then, instead of a
    /// new start. With <see cref="NewMachineId"/> it becomes another sandbox: own host name, machine id and randomness, none of the secrets that were in its tmpfs.
    /// </summary>
    public string? RestorePath { get; init; }

    /// <summary>First host id and size of the sandbox's own id range for its user namespace; absent = no user namespace.</summary>
    public IdRange? IdRange { get; init; }

    /// <summary>Cgroup path below each controller's root, for example <c>/vivarium/&lt;id&gt;</c>.</summary>
    public required string CgroupPath { get; init; }

    /// <summary>Most bytes of one log file before it is rotated (one old file is kept).</summary>
    public long LogMaxBytes { get; init; } = 10 * 1024 * 1024;
}

/// <summary>A range of host user and group ids.</summary>
public sealed record IdRange
{
    /// <summary>First id on the host; becomes 0 inside.</summary>
    public required uint First { get; init; }

    /// <summary>How many.</summary>
    public required uint Count { get; init; }
}

/// <summary>Limits of a sandbox. All are always set; the daemon fills in defaults and clamps.</summary>
public sealed record ResourceSpec
{
    /// <summary>CPUs, may be fractional, above 0.</summary>
    public required double Cpus { get; init; }

    /// <summary>Memory in bytes, at least 16 MiB.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Processes and threads, at least 16.</summary>
    public required int Pids { get; init; }

    /// <summary>Disk space of the volume in bytes; absent = the pool's.</summary>
    public long? DiskBytes { get; init; }
}

/// <summary>A host directory or file shared into the sandbox.</summary>
public sealed record ShareSpec
{
    /// <summary>Absolute host path.</summary>
    public required string HostPath { get; init; }

    /// <summary>Absolute guest path.</summary>
    public required string GuestPath { get; init; }

    /// <summary>Read-only, enforced on the host side.</summary>
    public bool ReadOnly { get; init; }
}

/// <summary>Network of a sandbox.</summary>
public sealed record NetworkSpec
{
    /// <summary><c>none</c> (loopback only) or <c>nat</c>.</summary>
    public required string Mode { get; init; }

    /// <summary>Path of a prepared network namespace; absent = the engine makes an empty one.</summary>
    public string? NamespacePath { get; init; }

    /// <summary>Name servers for the guest.</summary>
    public IReadOnlyList<string>? Nameservers { get; init; }

    /// <summary>The interface to make for <c>nat</c>.</summary>
    public NetworkAttachment? Attachment { get; init; }
}

/// <summary>A pair of interfaces: one end a port of the host's bridge, the other the sandbox's <c>eth0</c>.</summary>
public sealed record NetworkAttachment
{
    /// <summary>The bridge, which is there.</summary>
    public required string Bridge { get; init; }

    /// <summary>Name of the host's end, at most 15 characters.</summary>
    public required string Port { get; init; }

    /// <summary>Hardware address of the sandbox's end, <c>02:76:0a:00:00:02</c>.</summary>
    public required string Mac { get; init; }

    /// <summary>IPv4 address of the sandbox.</summary>
    public required string Ipv4 { get; init; }

    /// <summary>Its way out.</summary>
    public required string Gateway4 { get; init; }

    /// <summary>IPv6 address of the sandbox; absent: it has none.</summary>
    public string? Ipv6 { get; init; }

    /// <summary>Its way out.</summary>
    public string? Gateway6 { get; init; }

    /// <summary>Most bytes of a packet.</summary>
    public int Mtu { get; init; } = 1500;
}
