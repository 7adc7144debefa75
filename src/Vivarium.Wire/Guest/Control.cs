using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vivarium.Wire.Guest;

/// <summary>
/// One line on the control port: <c>{"type": …, "payload": {…}}</c>, at most 1 MiB. Compatible with the StereOS control
/// protocol; <see cref="Id"/> is our extension (echoed in the answer, which then may come out of order).
/// </summary>
public sealed record ControlEnvelope
{
    /// <summary>Longest line accepted, in bytes, without the newline.</summary>
    public const int MaxLineBytes = 1024 * 1024;

    /// <summary>Message type, one of <see cref="ControlType"/>.</summary>
    public required string Type { get; init; }

    /// <summary>Type-specific content; absent where the type has none.</summary>
    public JsonElement? Payload { get; init; }

    /// <summary>Optional request id.</summary>
    public string? Id { get; init; }
}

/// <summary>Types of control messages.</summary>
public static class ControlType
{
#pragma warning disable CS1591 // The names are the documentation: guest.md lists each with its payload.
    public const string Ping = "ping";
    public const string Pong = "pong";
    public const string GetHealth = "get_health";
    public const string Health = "health";
    public const string SetConfig = "set_config";
    public const string InjectSecret = "inject_secret";
    public const string InjectSshKey = "inject_ssh_key";
    public const string Mount = "mount";
    public const string Shutdown = "shutdown";
    public const string Lifecycle = "lifecycle";
    public const string Ack = "ack";
    public const string Hello = "hello";
    public const string Configure = "configure";
    public const string Quiesce = "quiesce";
    public const string Thaw = "thaw";
    public const string Resumed = "resumed";
    public const string Stats = "stats";
    public const string Processes = "processes";
    public const string KillProcess = "kill_process";
    public const string Oom = "oom";
    public const string Listeners = "listeners";
#pragma warning restore CS1591
}

/// <summary>Answer to most requests.</summary>
public sealed record AckPayload
{
    /// <summary>The type this answers.</summary>
    [JsonPropertyName("reply_to")]
    public required string ReplyTo { get; init; }

    /// <summary>Whether it was done.</summary>
    public required bool Ok { get; init; }

    /// <summary>Why not.</summary>
    public string? Error { get; init; }
}

/// <summary>Answer to <c>get_health</c>.</summary>
public sealed record HealthPayload
{
    /// <summary><c>booting, ready, healthy, degraded, shutdown</c>.</summary>
    public required string State { get; init; }

    /// <summary>Agents the guest supervises; absent when none.</summary>
    public IReadOnlyList<AgentStatus>? Agents { get; init; }

    /// <summary>Whole seconds since the agent started.</summary>
    public required long UptimeSeconds { get; init; }
}

/// <summary>One supervised agent.</summary>
public sealed record AgentStatus
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Whether it runs now.</summary>
    public required bool Running { get; init; }

    /// <summary>Terminal session it runs in.</summary>
    public string? Session { get; init; }

    /// <summary>How often it was restarted.</summary>
    public required int Restarts { get; init; }

    /// <summary>Last failure.</summary>
    public string? Error { get; init; }
}

/// <summary>Payload of <c>set_config</c>: the content of a configuration file.</summary>
public sealed record SetConfigPayload
{
    /// <summary>Text of the file.</summary>
    public required string Content { get; init; }
}

/// <summary>Payload of <c>inject_secret</c>.</summary>
public sealed record InjectSecretPayload
{
    /// <summary>A simple file name.</summary>
    public required string Name { get; init; }

    /// <summary>The secret; never logged.</summary>
    public required string Value { get; init; }

    /// <summary>Unix mode as a decimal number (384 = 0600, the default).</summary>
    public int? Mode { get; init; }
}

/// <summary>Payload of <c>inject_ssh_key</c>.</summary>
public sealed record InjectSshKeyPayload
{
    /// <summary>Guest user.</summary>
    public required string User { get; init; }

    /// <summary>One line, a known key type.</summary>
    public required string PublicKey { get; init; }
}

/// <summary>Payload of <c>mount</c>.</summary>
public sealed record MountPayload
{
    /// <summary>Device tag or source.</summary>
    public required string Tag { get; init; }

    /// <summary>Absolute clean path in the guest; never a system path.</summary>
    public required string GuestPath { get; init; }

    /// <summary><c>9p</c>, <c>virtiofs</c> or another file system type.</summary>
    public required string FsType { get; init; }

    /// <summary>Read-only.</summary>
    public bool? ReadOnly { get; init; }
}

/// <summary>Payload of <c>shutdown</c>.</summary>
public sealed record ShutdownPayload
{
    /// <summary>Why, for the log.</summary>
    public string? Reason { get; init; }
}

/// <summary>Pushed by the guest when its state changes.</summary>
public sealed record LifecyclePayload
{
    /// <summary>See <see cref="HealthPayload.State"/>.</summary>
    public required string State { get; init; }

    /// <summary>A sentence.</summary>
    public string? Message { get; init; }
}

/// <summary>
/// First message of our host on a fresh guest connection, and its answer: each side proves that it is the one the other
/// expects. The per-boot token is random, 32 hex digits, given to the guest in its environment (<c>VIV_TOKEN</c>).
/// </summary>
public sealed record HelloPayload
{
    /// <summary>Current protocol version.</summary>
    public const int CurrentProtocol = 1;

    /// <summary>Highest protocol version the sender speaks.</summary>
    public required int Protocol { get; init; }

    /// <summary>Program version, for people.</summary>
    public required string Version { get; init; }

    /// <summary>The per-boot token.</summary>
    public required string Token { get; init; }

    /// <summary>What the sender can do, for example <c>exec, files, watch, forward, pty, stats</c>.</summary>
    public IReadOnlyList<string>? Capabilities { get; init; }

    /// <summary>Random id of this boot of the guest; in the answer only.</summary>
    public string? BootId { get; init; }
}

/// <summary>
/// The transactional set-up message. The guest applies mounts, secrets, environment, clock, network in this order and then
/// reports <c>ready</c>; on the first failure it undoes nothing by guess but reports <c>ok:false</c>, and the host ends the sandbox.
/// </summary>
public sealed record ConfigurePayload
{
    /// <summary>Host name to set.</summary>
    public string? Hostname { get; init; }

    /// <summary>Mounts to make.</summary>
    public IReadOnlyList<MountPayload>? Mounts { get; init; }

    /// <summary>Secrets to place in tmpfs.</summary>
    public IReadOnlyList<InjectSecretPayload>? Secrets { get; init; }

    /// <summary>Environment every process gets unless its request overrides it.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>User processes run as when their request names none; default <c>root</c>.</summary>
    public string? DefaultUser { get; init; }

    /// <summary>Directory processes start in when their request names none; default the user's home.</summary>
    public string? DefaultCwd { get; init; }

    /// <summary>Host clock, milliseconds since the Unix epoch; the guest steps its own where it may.</summary>
    public long? UnixTimeMs { get; init; }

    /// <summary>Lines for /etc/resolv.conf's <c>nameserver</c>.</summary>
    public IReadOnlyList<string>? Nameservers { get; init; }

    /// <summary>Certificate authorities of the host's owner (PEM) to trust; absent: those of an earlier start are taken out.</summary>
    public string? CaCertificates { get; init; }
}

/// <summary>Answer to <c>stats</c>. Fields the kernel does not offer are absent.</summary>
public sealed record GuestStats
{
    /// <summary>Milliseconds since the agent started.</summary>
    public required long UptimeMs { get; init; }

    /// <summary>Processes in the sandbox, the agent not counted.</summary>
    public required int Processes { get; init; }

    /// <summary>CPU time used by the sandbox, microseconds.</summary>
    public long? CpuUs { get; init; }

    /// <summary>Memory in use, bytes.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Size of the root file system, bytes.</summary>
    public long? DiskTotalBytes { get; init; }

    /// <summary>Used on the root file system, bytes.</summary>
    public long? DiskUsedBytes { get; init; }

    /// <summary>Load averages of 1, 5 and 15 minutes.</summary>
    public IReadOnlyList<double>? Load { get; init; }
}

/// <summary>Answer to <c>processes</c>: those the agent started and still remembers, running first.</summary>
public sealed record ProcessesPayload
{
    /// <summary>The processes.</summary>
    public required IReadOnlyList<GuestProcess> Processes { get; init; }
}

/// <summary>A process the agent started.</summary>
public sealed record GuestProcess
{
    /// <summary>Process id inside the sandbox.</summary>
    public required int Pid { get; init; }

    /// <summary>The caller's tag.</summary>
    public string? Tag { get; init; }

    /// <summary>Command line.</summary>
    public required IReadOnlyList<string> Argv { get; init; }

    /// <summary>User name.</summary>
    public string? User { get; init; }

    /// <summary>Working directory it started in.</summary>
    public string? Cwd { get; init; }

    /// <summary>Whether it has a terminal.</summary>
    public bool Tty { get; init; }

    /// <summary><c>running</c> or <c>exited</c>.</summary>
    public required string Status { get; init; }

    /// <summary>Start, milliseconds since the Unix epoch.</summary>
    public required long StartedUnixMs { get; init; }

    /// <summary>How it ended.</summary>
    public ExecControl? Exit { get; init; }

    /// <summary>Processes in its tree, itself included.</summary>
    public int TreeSize { get; init; }

    /// <summary>Connections attached to it.</summary>
    public int Attached { get; init; }
}

/// <summary>Payload of <c>kill_process</c>: signals a process or its whole tree.</summary>
public sealed record KillProcessPayload
{
    /// <summary>Process id, or 0 when <see cref="Tag"/> is given.</summary>
    public int Pid { get; init; }

    /// <summary>Tag instead of a pid.</summary>
    public string? Tag { get; init; }

    /// <summary>Signal number (Linux x86-64).</summary>
    public required int Signal { get; init; }

    /// <summary>Whether the whole tree gets it; default true.</summary>
    public bool? Tree { get; init; }
}

/// <summary>
/// Payload of <c>resumed</c>, the first message after processes and memory were brought back (restore, fork): what was unique or current about the old
/// machine is so no more. The guest applies all of it or answers <c>ok:false</c>, and the host then fails the restore.
/// </summary>
public sealed record ResumedPayload
{
    /// <summary>Host clock, milliseconds since the Unix epoch.</summary>
    public long? UnixTimeMs { get; init; }

    /// <summary>New host name.</summary>
    public string? Hostname { get; init; }

    /// <summary>New machine id, 32 hex digits, for <c>/etc/machine-id</c>.</summary>
    public string? MachineId { get; init; }

    /// <summary>Fresh random bytes for the kernel's generator, base64, 32 to 512 bytes.</summary>
    public string? Entropy { get; init; }

    /// <summary>Token of this boot from now on, instead of the one that was saved.</summary>
    public string? Token { get; init; }

    /// <summary>Id of this boot from now on.</summary>
    public string? BootId { get; init; }

    /// <summary>Remove the secrets that were saved: a fork does not inherit them.</summary>
    public bool ForgetSecrets { get; init; }

    /// <summary>Lines for /etc/resolv.conf's <c>nameserver</c>.</summary>
    public IReadOnlyList<string>? Nameservers { get; init; }
}

/// <summary>
/// Payload of <c>oom</c>, sent by the supervisor whenever the out-of-memory killer struck in the sandbox's cgroup, so that the guest can
/// report a process killed that way as such. A host that does so says <see cref="Capability"/> in its <c>hello</c>.
/// </summary>
public sealed record OomPayload
{
    /// <summary>Capability word of a host that sends this.</summary>
    public const string Capability = "oom";

    /// <summary>Kills since the sandbox began; only grows.</summary>
    public required long Kills { get; init; }
}
