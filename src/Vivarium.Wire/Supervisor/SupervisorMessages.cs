using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Wire.Supervisor;

/// <summary>
/// The supervisor's control socket, <c>&lt;runtime dir&gt;/&lt;id&gt;/supervisor.sock</c>: newline-delimited JSON-RPC 2.0. Control methods are open only to
/// peers with the supervisor's own uid (SO_PEERCRED); a connection whose first line is a <see cref="ConnectLine"/> becomes the raw
/// stream of a guest port and needs a one-time ticket unless the peer has the supervisor's uid. The answer to the connect line is one line,
/// <see cref="ConnectReply"/>. A first line that is a JSON object with <c>method</c> but without <c>jsonrpc</c> is answered in the one-shot form.
/// </summary>
public static class SupervisorMethod
{
#pragma warning disable CS1591
    public const int Protocol = 2;

    /// <summary>
    /// Oldest protocol still spoken, by either side. 1: without <see cref="SupervisorInfo.OldestProtocol"/>, and maybe without published ports. What a supervisor of any protocol can do: <c>status</c>,
    /// <c>info</c> with the members required today, <c>events</c>, <c>force_stop</c>, and its lock file.
    /// </summary>
    public const int OldestProtocol = 1;
    public const string Status = "status";
    public const string Info = "info";
    public const string Stop = "stop";
    public const string ForceStop = "force_stop";
    public const string Pause = "pause";
    public const string Resume = "resume";

    /// <summary><see cref="CheckpointParams"/> → Empty.</summary>
    public const string Checkpoint = "checkpoint";
    public const string Ticket = "ticket";
    public const string Stats = "stats";
    public const string Launch = "launch";
    public const string Processes = "processes";
    public const string KillProcess = "kill_process";
    public const string Secrets = "secrets";
    public const string Adopt = "adopt";

    /// <summary><see cref="PublishedPort"/> → <see cref="PublishedPort"/> with the host port that was taken.</summary>
    public const string Publish = "publish";

    /// <summary><see cref="PublishedPort"/> → Empty.</summary>
    public const string Unpublish = "unpublish";

    /// <summary>() → <see cref="PublishedPortsReply"/>.</summary>
    public const string Ports = "ports";

    /// <summary>() → ListenersPayload.</summary>
    public const string Listeners = "listeners";

    /// <summary><see cref="FreezeParams"/> → Empty: holds the processes still for the moment of a snapshot, without a change of phase.</summary>
    public const string Freeze = "freeze";

    /// <summary>() → <see cref="ThawReply"/>: the end of <c>freeze</c>.</summary>
    public const string Thaw = "thaw";

    /// <summary>Subscribes this connection: every phase change and process end arrives as a notification <c>event</c> (<see cref="SupervisorEvent"/>).</summary>
    public const string Events = "events";

    /// <summary>Method name of the notification.</summary>
    public const string EventNotification = "event";
#pragma warning restore CS1591
}

/// <summary>Phases a supervisor reports.</summary>
public static class SupervisorPhase
{
#pragma warning disable CS1591
    public const string Preparing = "preparing";
    public const string Booting = "booting";
    public const string Provisioning = "provisioning";
    public const string Running = "running";
    public const string Pausing = "pausing";
    public const string Paused = "paused";
    public const string Resuming = "resuming";
    public const string Stopping = "stopping";
    public const string Stopped = "stopped";
    public const string Failed = "failed";
#pragma warning restore CS1591
}

/// <summary>Answer to <c>status</c>.</summary>
public sealed record SupervisorStatus
{
    /// <summary>One of <see cref="SupervisorPhase"/>.</summary>
    public required string Phase { get; init; }

    /// <summary>Why, for <c>failed</c> and <c>stopped</c>: <c>requested, forced, guest_exited, engine_died, oom, start_failed, …</c>.</summary>
    public string? Reason { get; init; }

    /// <summary>A sentence for people beside the reason.</summary>
    public string? Message { get; init; }

    /// <summary>Random id of this boot of the guest; changes with every start.</summary>
    public string? BootId { get; init; }

    /// <summary>Milliseconds since the Unix epoch of the last activity (a stream open or a byte moved), for the idle timer.</summary>
    public long LastActivityUnixMs { get; init; }

    /// <summary>Raw streams open now.</summary>
    public int OpenStreams { get; init; }

    /// <summary>Processes launched by <c>launch</c> that still run.</summary>
    public int RunningProcesses { get; init; }
}

/// <summary>Answer to <c>info</c>.</summary>
public sealed record SupervisorInfo
{
    /// <summary>Sandbox id.</summary>
    public required string SandboxId { get; init; }

    /// <summary>Protocol version spoken.</summary>
    public required int Protocol { get; init; }

    /// <summary>Oldest protocol of a daemon it serves; absent (protocol 1): only its own.</summary>
    public int? OldestProtocol { get; init; }

    /// <summary>Program version.</summary>
    public required string Version { get; init; }

    /// <summary>The supervisor's own pid.</summary>
    public required int Pid { get; init; }

    /// <summary>Pid of the engine's init process on the host, 0 when none.</summary>
    public int EnginePid { get; init; }

    /// <summary>Engine name.</summary>
    public required string Engine { get; init; }

    /// <summary>Version of the engine it was started with; absent where it is not known.</summary>
    public string? EngineVersion { get; init; }

    /// <summary>What this runtime can do.</summary>
    public required RuntimeCapabilities Capabilities { get; init; }

    /// <summary>Status now.</summary>
    public required SupervisorStatus Status { get; init; }
}

/// <summary>What a runtime can do; a call for something it cannot is refused with <c>unimplemented</c>.</summary>
public sealed record RuntimeCapabilities
{
    /// <summary>Freeze and thaw in memory.</summary>
    public bool Pause { get; init; }

    /// <summary>Save processes and memory to disk and bring them back.</summary>
    public bool Checkpoint { get; init; }

    /// <summary>The CPU, memory and process limits are enforced.</summary>
    public bool Limits { get; init; }

    /// <summary>A user namespace separates the sandbox's ids from the host's.</summary>
    public bool UserNamespace { get; init; }

    /// <summary>The sandbox has a network namespace of its own.</summary>
    public bool NetworkNamespace { get; init; }

    /// <summary>It isolates at all (<c>direct</c> does not).</summary>
    public bool Isolated { get; init; }
}

/// <summary>Parameters of <c>stop</c>.</summary>
public sealed record StopParams
{
    /// <summary>How long the guest may take before it is forced, milliseconds; default 10 000.</summary>
    public long? DeadlineMs { get; init; }

    /// <summary>Why, for logs and the recorded reason.</summary>
    public string? Reason { get; init; }
}

/// <summary>
/// Parameters of <c>freeze</c>. The sandbox goes on by itself when the time is over or the connection that asked ends, so that nobody who dies in between leaves it standing.
/// </summary>
public sealed record FreezeParams
{
    /// <summary>Longest time in milliseconds, 1 to 60 000; default 10 000. Saving memory is not counted.</summary>
    public long? HoldMs { get; init; }

    /// <summary>
    /// Save processes and memory into this existing, empty directory; answered when that is done. What the sandbox has on its volume while it is held is of the same instant. Only
    /// for a supervisor whose capabilities say <c>checkpoint</c>: an older one holds the sandbox still and saves nothing.
    /// </summary>
    public string? MemoryDirectory { get; init; }
}

/// <summary>
/// Parameters of <c>checkpoint</c>: pauses to disk. Processes and memory are saved, then the sandbox ends with the reason <see cref="PausedToDisk"/>, whoever is still there to hear it. Its volume
/// and the directory are a pair from then on. When it cannot be saved it goes on running.
/// </summary>
public sealed record CheckpointParams
{
    /// <summary>How a sandbox that was paused to disk has ended.</summary>
    public const string PausedToDisk = "paused_to_disk";

    /// <summary>Existing, empty directory.</summary>
    public required string Directory { get; init; }
}

/// <summary>What a supervisor keeps beside saved memory, in <c>sandbox.json</c>, mode 0600: the memory holds the token as well.</summary>
public sealed record SavedSandbox
{
    /// <summary>Token of the boot that was saved: the guest proves itself with it once more.</summary>
    public required string Token { get; init; }

    /// <summary>Launched processes that ran.</summary>
    public required IReadOnlyList<SavedProcess> Launched { get; init; }
}

/// <summary>A launched process that was running.</summary>
/// <param name="Pid">Pid inside the sandbox.</param>
/// <param name="Logged">Bytes of its output that are in its log.</param>
/// <param name="Log">File name of its log; absent: the one of its pid.</param>
public sealed record SavedProcess(int Pid, long Logged, string? Log = null);

/// <summary>Answer to <c>thaw</c>.</summary>
public sealed record ThawReply
{
    /// <summary>How long the processes stood still, microseconds; 0 when they were paused anyway.</summary>
    public required long PausedUs { get; init; }

    /// <summary>False when the hold had ended by itself before: what was made meanwhile is not from one instant.</summary>
    public required bool Held { get; init; }
}

/// <summary>Parameters of <c>ticket</c>.</summary>
public sealed record TicketParams
{
    /// <summary>Guest port the ticket opens.</summary>
    public required int Port { get; init; }

    /// <summary>Life of the ticket in milliseconds; default 30 000.</summary>
    public long? TtlMs { get; init; }
}

/// <summary>Answer to <c>ticket</c>.</summary>
public sealed record TicketReply
{
    /// <summary>Random, usable once.</summary>
    public required string Ticket { get; init; }
}

/// <summary>First line of a raw stream.</summary>
public sealed record ConnectLine
{
    /// <summary>Guest port.</summary>
    public required int Connect { get; init; }

    /// <summary>One-time ticket.</summary>
    public string? Ticket { get; init; }
}

/// <summary>Answer to the connect line; after <c>{"ok":true}</c> the stream is raw.</summary>
public sealed record ConnectReply
{
    /// <summary>Whether the stream is open.</summary>
    public required bool Ok { get; init; }

    /// <summary>Why not.</summary>
    public ErrorInfo? Error { get; init; }
}

/// <summary>
/// Parameters of <c>launch</c>: starts a process the supervisor itself stays attached to, so that its output is logged
/// (<c>process-&lt;pid&gt;.log</c>, capped and rotated) whoever else comes and goes.
/// </summary>
public sealed record LaunchParams
{
    /// <summary>What to run.</summary>
    public required ExecRequest Request { get; init; }
}

/// <summary>Answer to <c>launch</c>.</summary>
public sealed record LaunchReply
{
    /// <summary>Process id inside the sandbox.</summary>
    public required int Pid { get; init; }
}

/// <summary>Parameters of <c>secrets</c>: handed to the guest's tmpfs, kept nowhere.</summary>
public sealed record SecretsParams
{
    /// <summary>The secrets.</summary>
    public required IReadOnlyList<InjectSecretPayload> Secrets { get; init; }
}

/// <summary>
/// Parameters of <c>adopt</c>: a sandbox made ahead of need gets its name and what its processes find. Secrets go by <c>secrets</c>; the host name is the
/// daemon's to set.
/// </summary>
public sealed record AdoptParams
{
    /// <summary>Name for people.</summary>
    public required string Name { get; init; }

    /// <summary>Host name.</summary>
    public required string Hostname { get; init; }

    /// <summary>Environment every process gets.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Default user of processes.</summary>
    public string? DefaultUser { get; init; }

    /// <summary>Default working directory of processes.</summary>
    public string? DefaultCwd { get; init; }
}

/// <summary>Answer to <c>stats</c>: measured on the host where possible.</summary>
public sealed record SandboxUsage
{
    /// <summary>CPU time of the sandbox, microseconds.</summary>
    public long? CpuUs { get; init; }

    /// <summary>Memory charged to the sandbox, bytes.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Memory limit, bytes.</summary>
    public long? MemoryLimitBytes { get; init; }

    /// <summary>Processes and threads now.</summary>
    public int? Pids { get; init; }

    /// <summary>Limit of processes and threads.</summary>
    public int? PidsLimit { get; init; }

    /// <summary>Times the out-of-memory killer struck.</summary>
    public long? OomKills { get; init; }

    /// <summary>What the guest says of itself.</summary>
    public GuestStats? Guest { get; init; }
}

/// <summary>Notification <c>event</c>.</summary>
public sealed record SupervisorEvent
{
    /// <summary><c>phase</c>, <c>process_exited</c>, <c>oom</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Status with every phase event.</summary>
    public SupervisorStatus? Status { get; init; }

    /// <summary>Process of a process event.</summary>
    public int? Pid { get; init; }

    /// <summary>How it ended.</summary>
    public ExecControl? Exit { get; init; }
}

/// <summary>One-shot request in the Masterblaster vmhost form.</summary>
public sealed record OneShotRequest
{
    /// <summary><c>status, stop, force_stop, info</c>.</summary>
    public required string Method { get; init; }

    /// <summary>For <c>stop</c>.</summary>
    public int? TimeoutSeconds { get; init; }
}

/// <summary>One-shot answer in the Masterblaster vmhost form.</summary>
public sealed record OneShotReply
{
    /// <summary>Whether it worked.</summary>
    public required bool Ok { get; init; }

    /// <summary>Why not.</summary>
    public string? Error { get; init; }

    /// <summary>State.</summary>
    public string? State { get; init; }

    /// <summary>SSH port.</summary>
    public int? SshPort { get; init; }

    /// <summary>Backend name.</summary>
    public string? Backend { get; init; }
}

/// <summary>
/// The last word of a supervisor: written atomically to <c>&lt;runtime dir&gt;/&lt;id&gt;/exit.json</c> after everything it held is released. The lock
/// file <c>supervisor.lock</c> (flock, held for its whole life) proves whether a supervisor still lives.
/// </summary>
public sealed record ExitRecord
{
    /// <summary>Final phase: <c>stopped</c> or <c>failed</c>.</summary>
    public required string Phase { get; init; }

    /// <summary>Reason word.</summary>
    public required string Reason { get; init; }

    /// <summary>A sentence.</summary>
    public string? Message { get; init; }

    /// <summary>Milliseconds since the Unix epoch.</summary>
    public required long UnixMs { get; init; }

    /// <summary>Ledger entries that could not be released; the daemon tries again.</summary>
    public IReadOnlyList<string>? Leftovers { get; init; }
}
