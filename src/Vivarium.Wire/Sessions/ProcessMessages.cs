using System.Text.Json.Serialization;

namespace Vivarium.Wire.Sessions;

/// <summary>Parameters of LaunchProcess.</summary>
public sealed record LaunchProcessRequest
{
    /// <summary>The session; it must be active.</summary>
    [JsonPropertyName("SessionID")]
    public string? SessionId { get; init; }

    /// <summary>Program, looked up in the sandbox's PATH.</summary>
    public string? Binary { get; init; }

    /// <summary>Its arguments.</summary>
    public IReadOnlyList<string>? Args { get; init; }

    /// <summary>Added to the sandbox's environment. Nothing of the host's is in it.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Working directory, absolute; default the sandbox's.</summary>
    public string? Cwd { get; init; }

    /// <summary>User; default the sandbox's.</summary>
    public string? User { get; init; }

    /// <summary>TCP port the process will listen on, made reachable on the host while it runs: 1 to 65535; 0: none.</summary>
    public int? ExposePort { get; init; }
}

/// <summary>Answer of LaunchProcess.</summary>
public sealed record LaunchProcessResponse
{
    /// <summary>Id of the process, <c>proc-…</c>.</summary>
    [JsonPropertyName("ProcessID")]
    public required string ProcessId { get; init; }

    /// <summary>Where its port is reached, <c>host:port</c>; empty without one.</summary>
    public string? Address { get; init; }

    /// <summary><c>starting, running, exited</c>.</summary>
    public required string Status { get; init; }
}

/// <summary>Parameters of GetProcessStatus.</summary>
public sealed record ProcessRequest
{
    /// <summary>The session.</summary>
    [JsonPropertyName("SessionID")]
    public string? SessionId { get; init; }

    /// <summary>The process.</summary>
    [JsonPropertyName("ProcessID")]
    public string? ProcessId { get; init; }
}

/// <summary>Parameters of KillProcess.</summary>
public sealed record KillProcessRequest
{
    /// <summary>The session.</summary>
    [JsonPropertyName("SessionID")]
    public string? SessionId { get; init; }

    /// <summary>The process; one that has ended is fine.</summary>
    [JsonPropertyName("ProcessID")]
    public string? ProcessId { get; init; }

    /// <summary>Signal for the process and all that came from it; 0: 15 (SIGTERM).</summary>
    public int? Signal { get; init; }
}

/// <summary>A process as the session service shows it; answer of GetProcessStatus.</summary>
public sealed record SessionProcess
{
    /// <summary>Id of the process.</summary>
    [JsonPropertyName("ProcessID")]
    public string? ProcessId { get; init; }

    /// <summary><c>starting, running, exited</c>.</summary>
    public required string Status { get; init; }

    /// <summary>Exit code, 128 and the signal when a signal ended it; null while it runs, and when it never ran.</summary>
    public int? ExitCode { get; init; }

    /// <summary>The signal that ended it; 0: none.</summary>
    public int Signal { get; init; }

    /// <summary>The out-of-memory killer ended it.</summary>
    [JsonPropertyName("OOM")]
    public bool Oom { get; init; }

    /// <summary>Why it could not be started, or that its session was rolled back or ended under it; else empty.</summary>
    public string? Error { get; init; }

    /// <summary>Where its port is reached; empty without one.</summary>
    public string? Address { get; init; }

    /// <summary>Command line.</summary>
    public IReadOnlyList<string>? Command { get; init; }

    /// <summary>When it was started.</summary>
    public DateTimeOffset Started { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? Ended { get; init; }
}

/// <summary>Answer of ListProcesses: the running first.</summary>
public sealed record ListProcessesResponse
{
    /// <summary>The processes that were launched.</summary>
    public required IReadOnlyList<SessionProcess> Processes { get; init; }
}

/// <summary>Parameters of GetProcessLogs.</summary>
public sealed record GetProcessLogsRequest
{
    /// <summary>The session.</summary>
    [JsonPropertyName("SessionID")]
    public string? SessionId { get; init; }

    /// <summary>The process.</summary>
    [JsonPropertyName("ProcessID")]
    public string? ProcessId { get; init; }

    /// <summary>Where to go on: an answer's <see cref="GetProcessLogsResponse.NextOffset"/>. 0: from the beginning; negative: about so many bytes before the end.</summary>
    public long? Offset { get; init; }

    /// <summary>Wait this long for something new, nanoseconds, up to 30 s.</summary>
    public long? Wait { get; init; }
}

/// <summary>Answer of GetProcessLogs.</summary>
public sealed record GetProcessLogsResponse
{
    /// <summary>What it wrote, in the order it came; about 1 MiB at a time.</summary>
    public required IReadOnlyList<ProcessLogEntry> Entries { get; init; }

    /// <summary>Where to go on.</summary>
    public long NextOffset { get; init; }

    /// <summary>The process has ended, and all of it is read.</summary>
    public bool Ended { get; init; }
}

/// <summary>A piece of what a process wrote.</summary>
public sealed record ProcessLogEntry
{
    /// <summary>When it came.</summary>
    public DateTimeOffset Time { get; init; }

    /// <summary>It is from standard error.</summary>
    public bool IsError { get; init; }

    /// <summary>The text; what is no UTF-8 has U+FFFD in its place.</summary>
    public required string Content { get; init; }

    /// <summary>The bytes, base64, where they are no UTF-8; else null.</summary>
    public string? Data { get; init; }
}
