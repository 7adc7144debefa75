using System.Text.Json.Serialization;

namespace Vivarium.Wire.Sessions;

/// <summary>Words of <see cref="Session.State"/>.</summary>
public static class SessionState
{
    /// <summary>Being made.</summary>
    public const string Creating = "creating";

    /// <summary>Runs, or is on its way from running to something else.</summary>
    public const string Active = "active";

    /// <summary>Stands still, in memory or on disk, or is on its way back.</summary>
    public const string Paused = "paused";

    /// <summary>Being destroyed.</summary>
    public const string Destroying = "destroying";

    /// <summary>Ended without being asked to; its data is there.</summary>
    public const string Failed = "failed";
}

/// <summary>A session: a sandbox as the session service shows it.</summary>
public sealed record Session
{
    /// <summary>The id its creator gave it, else the sandbox's.</summary>
    [JsonPropertyName("ID")]
    public required string Id { get; init; }

    /// <summary>One of <see cref="SessionState"/>.</summary>
    public required string State { get; init; }

    /// <summary>Working directory inside the sandbox. Never a path of the host.</summary>
    public string? Mountpoint { get; init; }

    /// <summary>Turns completed.</summary>
    public int TurnCount { get; init; }

    /// <summary>Snapshots there are.</summary>
    public int SnapCount { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset Created { get; init; }

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Bytes its snapshots hold that the points before them do not, and, for a session with a quota, what it counts itself.</summary>
    public long SpaceUsed { get; init; }

    /// <summary>Id of the sandbox, 20 characters of [a-z0-9].</summary>
    [JsonPropertyName("SandboxID")]
    public string? SandboxId { get; init; }

    /// <summary>Name for people.</summary>
    public string? Name { get; init; }

    /// <summary>The sandbox's exact state, for example <c>rolling_back</c>.</summary>
    public string? SandboxState { get; init; }

    /// <summary>Why it is failed or paused, a stable word.</summary>
    public string? Reason { get; init; }

    /// <summary><c>container, gvisor, vm, direct</c>.</summary>
    public string? Runtime { get; init; }

    /// <summary>Template name.</summary>
    public string? Template { get; init; }

    /// <summary>2 inside a sandbox; 1 on <c>direct</c>, where nothing separates it from the host.</summary>
    public int Tier { get; init; }

    /// <summary>When its time runs out.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>Name of the snapshot it comes from now; null before the first.</summary>
    public string? Snapshot { get; init; }
}

/// <summary>Limits.</summary>
public sealed record SessionResources
{
    /// <summary>CPUs, may be fractional; 0: the default.</summary>
    [JsonPropertyName("CPUs")]
    public double? Cpus { get; init; }

    /// <summary>Memory in MiB; 0: the default.</summary>
    [JsonPropertyName("MemMB")]
    public long? MemMb { get; init; }
}

/// <summary>What a session can do. In a request: what it must be able to do; false asks for nothing.</summary>
public sealed record SessionCapabilities
{
    /// <summary>Snapshots and turns.</summary>
    public bool? Snapshots { get; init; }

    /// <summary>Rolling back.</summary>
    public bool? Rollback { get; init; }

    /// <summary>Pausing.</summary>
    public bool? Pause { get; init; }

    /// <summary>Output of tools while they run.</summary>
    public bool? StreamingProgress { get; init; }

    /// <summary>Tools run inside a sandbox; false on <c>direct</c>.</summary>
    public bool? TierRouting { get; init; }
}

/// <summary>Parameters of CreateSession. Everything has a default.</summary>
public sealed record CreateSessionRequest
{
    /// <summary>Template to begin with, by name or digest.</summary>
    public string? BaseSnapshot { get; init; }

    /// <summary>The caller's own id: <c>^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$</c> without <c>..</c>, unique; default the sandbox's.</summary>
    [JsonPropertyName("SessionID")]
    public string? SessionId { get; init; }

    /// <summary>Disk space in bytes; 0: the default.</summary>
    public long? Quota { get; init; }

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Limits.</summary>
    public SessionResources? Resources { get; init; }

    /// <summary>Environment of its processes.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary><c>auto, container, gvisor, vm, direct</c>.</summary>
    public string? Runtime { get; init; }

    /// <summary><c>none</c> or <c>nat</c>.</summary>
    public string? Network { get; init; }

    /// <summary>Its life in nanoseconds; 0: the default.</summary>
    public long? Timeout { get; init; }

    /// <summary>Its life without activity, nanoseconds; 0: the default.</summary>
    public long? IdleTimeout { get; init; }

    /// <summary>What happens when its time is up: <c>kill</c> or <c>pause</c>.</summary>
    public string? OnTimeout { get; init; }

    /// <summary>What the session must be able to do: looked at before anything is made.</summary>
    public SessionCapabilities? RequiredCapabilities { get; init; }
}

/// <summary>Answer of CreateSession, when it runs.</summary>
public sealed record CreateSessionResponse
{
    /// <summary>The session.</summary>
    public required Session Session { get; init; }

    /// <summary>What it can do.</summary>
    public required SessionCapabilities ServerCapabilities { get; init; }

    /// <summary>A token that opens this session only, for programs that should not have the service's own; null when the service has none.</summary>
    public string? SessionToken { get; init; }
}

/// <summary>Parameters of calls about one session.</summary>
public sealed record SessionRequest
{
    /// <summary>The session: the id its creator gave it, or the sandbox's.</summary>
    [JsonPropertyName("SessionID")]
    public string? SessionId { get; init; }
}

/// <summary>A session.</summary>
public sealed record SessionResponse
{
    /// <summary>The session.</summary>
    public required Session Session { get; init; }
}

/// <summary>Parameters of ListSessions.</summary>
public sealed record ListSessionsRequest
{
    /// <summary>Only those with all these labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Only those in one of these states.</summary>
    public IReadOnlyList<string>? States { get; init; }
}

/// <summary>Answer of ListSessions, oldest first.</summary>
public sealed record ListSessionsResponse
{
    /// <summary>The sessions.</summary>
    public required IReadOnlyList<Session> Sessions { get; init; }
}

/// <summary>No parameters.</summary>
public sealed record EmptyRequest;

/// <summary>Nothing to say.</summary>
public sealed record EmptyResponse;
