using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Wire.Host;

/// <summary>States of a sandbox; sessions.md draws the machine.</summary>
public static class SandboxState
{
#pragma warning disable CS1591
    public const string Creating = "creating";
    public const string Running = "running";
    public const string Pausing = "pausing";
    public const string Paused = "paused";
    public const string Resuming = "resuming";
    public const string Stopping = "stopping";
    public const string Stopped = "stopped";
    public const string Starting = "starting";
    public const string RollingBack = "rolling_back";
    public const string Failed = "failed";
    public const string Destroying = "destroying";
    public const string Gone = "gone";
#pragma warning restore CS1591
}

/// <summary>Parameters of <c>sandbox.create</c>. Everything has a default; unknown members are refused.</summary>
public sealed record CreateParams
{
    /// <summary>Name for people: a DNS label, 1–63; default two words.</summary>
    public string? Name { get; init; }

    /// <summary>The caller's own id (session id), <c>^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$</c>, no <c>..</c>, unique.</summary>
    public string? ExternalId { get; init; }

    /// <summary><c>auto, container, gvisor, vm, direct</c>; default from the configuration.</summary>
    public string? Runtime { get; init; }

    /// <summary>Template name or digest; default from the configuration. A built-in one is built when missing.</summary>
    public string? Template { get; init; }

    /// <summary>CPUs.</summary>
    public double? Cpus { get; init; }

    /// <summary>Memory in bytes.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Processes and threads.</summary>
    public int? Pids { get; init; }

    /// <summary>Disk space in bytes.</summary>
    public long? DiskBytes { get; init; }

    /// <summary>Environment.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Secrets, placed in the guest's tmpfs; never stored.</summary>
    public IReadOnlyList<InjectSecretPayload>? Secrets { get; init; }

    /// <summary>Shared host directories.</summary>
    public IReadOnlyList<ShareSpec>? Shares { get; init; }

    /// <summary>Ports of the sandbox to publish on the host.</summary>
    public IReadOnlyList<PublishedPort>? Ports { get; init; }

    /// <summary>Network mode: <c>none</c> or <c>nat</c>.</summary>
    public string? Network { get; init; }

    /// <summary>What network <c>nat</c> may reach beyond the defaults.</summary>
    public NetworkPolicySpec? Policy { get; init; }

    /// <summary>Life of the sandbox in milliseconds, counted from now.</summary>
    public long? TimeoutMs { get; init; }

    /// <summary>End it after so many milliseconds without activity.</summary>
    public long? IdleTimeoutMs { get; init; }

    /// <summary><c>kill</c> (default) or <c>pause</c>.</summary>
    public string? OnTimeout { get; init; }

    /// <summary>Default user of processes.</summary>
    public string? User { get; init; }

    /// <summary>Default working directory of processes.</summary>
    public string? Workdir { get; init; }

    /// <summary>Host name; default the name.</summary>
    public string? Hostname { get; init; }

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>
    /// The sandbox lives for the process that makes this call: when that has ended, however, it is destroyed. A restart of the daemon changes nothing. A
    /// caller whose process the daemon cannot see (another pid namespace) is not watched.
    /// </summary>
    public bool? EndWithCaller { get; init; }
}

/// <summary>A sandbox as every API call shows it.</summary>
public sealed record SandboxInfo
{
    /// <summary>20 characters of [a-z0-9].</summary>
    public required string Id { get; init; }

    /// <summary>Name for people.</summary>
    public required string Name { get; init; }

    /// <summary>The caller's own id.</summary>
    public string? ExternalId { get; init; }

    /// <summary>One of <see cref="SandboxState"/>.</summary>
    public required string State { get; init; }

    /// <summary>Why, for failed and stopped: a stable word.</summary>
    public string? Reason { get; init; }

    /// <summary>A sentence beside the reason.</summary>
    public string? Message { get; init; }

    /// <summary>Runtime.</summary>
    public required string Runtime { get; init; }

    /// <summary>Engine behind it.</summary>
    public required string Engine { get; init; }

    /// <summary>False for <c>direct</c>: nothing separates it from the host.</summary>
    public bool Isolated { get; init; } = true;

    /// <summary>Template name.</summary>
    public required string Template { get; init; }

    /// <summary>Template digest, <c>sha256:…</c>.</summary>
    public required string TemplateDigest { get; init; }

    /// <summary>Limits in force.</summary>
    public required ResourceSpec Resources { get; init; }

    /// <summary>Network mode.</summary>
    public required string Network { get; init; }

    /// <summary>Its IP addresses: IPv4, then IPv6 when it has one. They stay the same while it exists.</summary>
    public IReadOnlyList<string>? Addresses { get; init; }

    /// <summary>What its network may reach beyond the defaults.</summary>
    public NetworkPolicySpec? Policy { get; init; }

    /// <summary>Milliseconds since the Unix epoch.</summary>
    public required long CreatedUnixMs { get; init; }

    /// <summary>Last start.</summary>
    public long? StartedUnixMs { get; init; }

    /// <summary>When its time runs out.</summary>
    public long? ExpiresUnixMs { get; init; }

    /// <summary>Idle limit in milliseconds.</summary>
    public long? IdleTimeoutMs { get; init; }

    /// <summary><c>kill</c> or <c>pause</c>.</summary>
    public string? OnTimeout { get; init; }

    /// <summary>Default user.</summary>
    public string? User { get; init; }

    /// <summary>Default working directory.</summary>
    public string? Workdir { get; init; }

    /// <summary>Host name.</summary>
    public string? Hostname { get; init; }

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Boot id of the guest.</summary>
    public string? BootId { get; init; }

    /// <summary>Supervisor's pid, 0 when none.</summary>
    public int SupervisorPid { get; init; }

    /// <summary>Ports published on the host.</summary>
    public IReadOnlyList<PublishedPort>? Ports { get; init; }

    /// <summary>Version of its supervisor's program; older or newer than the daemon's after an upgrade.</summary>
    public string? SupervisorVersion { get; init; }

    /// <summary>Protocol its supervisor speaks.</summary>
    public int? SupervisorProtocol { get; init; }

    /// <summary>Shared directories.</summary>
    public IReadOnlyList<ShareSpec>? Shares { get; init; }

    /// <summary>Bytes counted against the disk limit, as of the last commit of the pool; only in answers about one sandbox, and only with a limit.</summary>
    public long? DiskUsedBytes { get; init; }

    /// <summary>What its runtime can do.</summary>
    public RuntimeCapabilities? Capabilities { get; init; }

    /// <summary>Turns completed; absent before the first.</summary>
    public int? Turns { get; init; }

    /// <summary>Id of the snapshot it comes from now; absent before the first.</summary>
    public string? Snapshot { get; init; }

    /// <summary>When it was last rolled back: processes that ran before then were ended by it.</summary>
    public long? RolledBackUnixMs { get; init; }

    /// <summary>Id of the sandbox it was forked from.</summary>
    public string? ForkedFrom { get; init; }

    /// <summary>For paused ones, where its processes are: <c>memory</c>, or <c>disk</c> when only the files are kept.</summary>
    public string? PausedTo { get; init; }
}

/// <summary>A sandbox by name, id, external id or unambiguous prefix of name or id; also a template by name or digest.</summary>
public sealed record RefParams
{
    /// <summary>The reference.</summary>
    public required string Ref { get; init; }
}

/// <summary>Parameters of <c>sandbox.list</c>.</summary>
public sealed record ListParams
{
    /// <summary>Only these states; default all but gone.</summary>
    public IReadOnlyList<string>? States { get; init; }

    /// <summary>Only those with all these labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }
}

/// <summary>Answer to <c>sandbox.list</c>, oldest first.</summary>
public sealed record SandboxList
{
    /// <summary>The sandboxes.</summary>
    public required IReadOnlyList<SandboxInfo> Sandboxes { get; init; }
}

/// <summary>Parameters of <c>sandbox.destroy</c>.</summary>
public sealed record DestroyParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>Also when it is running; otherwise a running one is refused.</summary>
    public bool Force { get; init; }

    /// <summary>Skip the guest's orderly stop.</summary>
    public bool Now { get; init; }
}

/// <summary>Parameters of <c>sandbox.prune</c>: removes stopped and failed sandboxes.</summary>
public sealed record PruneParams
{
    /// <summary>Only say what would go.</summary>
    public bool DryRun { get; init; }

    /// <summary>Only those that ended longer ago than this many milliseconds.</summary>
    public long? OlderThanMs { get; init; }
}

/// <summary>Answer to <c>sandbox.prune</c>.</summary>
public sealed record PruneReply
{
    /// <summary>What was removed.</summary>
    public required IReadOnlyList<SandboxInfo> Removed { get; init; }
}

/// <summary>Parameters of <c>sandbox.stop</c> and <c>sandbox.restart</c>.</summary>
public sealed record StopSandboxParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>Skip the orderly stop.</summary>
    public bool Force { get; init; }

    /// <summary>How long the guest may take, milliseconds; default 10 000.</summary>
    public long? DeadlineMs { get; init; }
}

/// <summary>Parameters of <c>sandbox.ticket</c>.</summary>
public sealed record SandboxTicketParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>Guest port, see <see cref="GuestPort"/>.</summary>
    public required int Port { get; init; }
}

/// <summary>How to open the stream: connect to <see cref="Socket"/>, send a ConnectLine with the ticket.</summary>
public sealed record SandboxTicket
{
    /// <summary>Sandbox id.</summary>
    public required string SandboxId { get; init; }

    /// <summary>Path of the supervisor's socket.</summary>
    public required string Socket { get; init; }

    /// <summary>One-time ticket.</summary>
    public required string Ticket { get; init; }
}

/// <summary>Parameters of <c>sandbox.set_timeout</c>.</summary>
public sealed record SetTimeoutParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>Milliseconds from now; 0 removes the limit; absent leaves it.</summary>
    public long? TimeoutMs { get; init; }

    /// <summary>Idle limit in milliseconds; 0 removes it; absent leaves it.</summary>
    public long? IdleTimeoutMs { get; init; }
}
