using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vivarium.Wire.Sessions;

/// <summary>Answer of HealthCheck.</summary>
public sealed record HealthCheckResponse
{
    /// <summary><c>healthy, degraded, unhealthy</c>.</summary>
    public required string Status { get; init; }

    /// <summary><c>ONLINE</c>, <c>FAULTED</c> when the pool cannot be used; empty while it is being opened.</summary>
    public string? PoolState { get; init; }

    /// <summary>Sessions there are.</summary>
    public int SessionCount { get; init; }

    /// <summary>Tool calls that run now.</summary>
    public int ActiveTools { get; init; }

    /// <summary>Nanoseconds the daemon has been up.</summary>
    public long Uptime { get; init; }

    /// <summary>What is not well, a sentence each.</summary>
    public IReadOnlyList<string>? Errors { get; init; }

    /// <summary>Space of the pool; null while it is being opened.</summary>
    public PoolSpace? PoolSpace { get; init; }

    /// <summary>Most sessions there may be.</summary>
    public int MaxSessions { get; init; }

    /// <summary>How many more there may be.</summary>
    public int FreeSessions { get; init; }
}

/// <summary>Space of the pool.</summary>
public sealed record PoolSpace
{
    /// <summary>Volume store.</summary>
    public required string Pool { get; init; }

    /// <summary>Size in bytes.</summary>
    public long Size { get; init; }

    /// <summary>In use, bytes.</summary>
    public long Allocated { get; init; }

    /// <summary>Can still be written, bytes.</summary>
    public long Free { get; init; }

    /// <summary>Part in use, 0 to 1.</summary>
    public double Capacity { get; init; }
}

/// <summary>Answer of Capabilities: what sessions of this host can do, and its limits.</summary>
public sealed record CapabilitiesResponse
{
    /// <summary>Snapshots and turns.</summary>
    public bool Snapshots { get; init; }

    /// <summary>Rolling back.</summary>
    public bool Rollback { get; init; }

    /// <summary>Pausing.</summary>
    public bool Pause { get; init; }

    /// <summary>Output of tools while they run.</summary>
    public bool StreamingProgress { get; init; }

    /// <summary>Tools run inside a sandbox; false when the default runtime is <c>direct</c>.</summary>
    public bool TierRouting { get; init; }

    /// <summary>Longest life of a session, nanoseconds; 0: no limit.</summary>
    public long MaxSessionDuration { get; init; }

    /// <summary>Most sessions there may be.</summary>
    public int ConcurrentSessions { get; init; }

    /// <summary>Volume store: <c>btrfs, zfs, local-disk</c>; empty while the pool is being opened.</summary>
    public string? StorageBackend { get; init; }

    /// <summary>Runtimes that work here.</summary>
    public IReadOnlyList<string>? Runtimes { get; init; }

    /// <summary>Version of the service's messages.</summary>
    [JsonPropertyName("APIVersion")]
    public string? ApiVersion { get; init; }

    /// <summary>Oldest version served.</summary>
    [JsonPropertyName("MinAPIVersion")]
    public string? MinApiVersion { get; init; }

    /// <summary>Version of the daemon.</summary>
    public string? Version { get; init; }

    /// <summary>Largest message either way, bytes.</summary>
    public long MaxMessageBytes { get; init; }

    /// <summary>The tools.</summary>
    public IReadOnlyList<SessionTool>? Tools { get; init; }
}

/// <summary>A tool.</summary>
public sealed record SessionTool
{
    /// <summary>Name.</summary>
    public required string Name { get; init; }

    /// <summary>What it does.</summary>
    public string? Description { get; init; }

    /// <summary>JSON Schema of its parameters.</summary>
    public JsonElement? Schema { get; init; }
}
