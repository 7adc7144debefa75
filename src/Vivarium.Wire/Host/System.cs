namespace Vivarium.Wire.Host;

/// <summary>Parameters of <c>system.shutdown</c>.</summary>
public sealed record ShutdownParams
{
    /// <summary>Also take the pool off its mount point and loop device; refused (failed_precondition, <c>pool_busy</c>) while sandboxes use it.</summary>
    public bool? Unmount { get; init; }
}

/// <summary>Answer to <c>system.version</c>.</summary>
public sealed record VersionReply
{
    /// <summary>Version of the JSON-RPC API.</summary>
    public const int CurrentApi = 1;

    /// <summary>Program version.</summary>
    public required string Version { get; init; }

    /// <summary>API version.</summary>
    public required int Api { get; init; }

    /// <summary>Daemon's pid.</summary>
    public required int Pid { get; init; }
}

/// <summary>Answer to <c>system.info</c>.</summary>
public sealed record SystemInfo
{
    /// <summary>Program version.</summary>
    public required string Version { get; init; }

    /// <summary>State directory.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Runtime directory.</summary>
    public required string RuntimeDirectory { get; init; }

    /// <summary>Volume store in use: <c>btrfs, zfs, local-disk</c>.</summary>
    public required string VolumeStore { get; init; }

    /// <summary>Size of the pool in bytes.</summary>
    public long PoolTotalBytes { get; init; }

    /// <summary>Free in the pool, bytes.</summary>
    public long PoolFreeBytes { get; init; }

    /// <summary>Sandboxes known.</summary>
    public int Sandboxes { get; init; }

    /// <summary>Sandboxes running.</summary>
    public int Running { get; init; }

    /// <summary>Milliseconds the daemon has been up.</summary>
    public long UptimeMs { get; init; }

    /// <summary>Where the HTTP listener listens, as a URL; absent when there is none (now).</summary>
    public string? Http { get; init; }

    /// <summary>Runtimes and engines found.</summary>
    public required IReadOnlyList<EngineInfo> Engines { get; init; }
}

/// <summary>What probing an engine found.</summary>
public sealed record EngineInfo
{
    /// <summary>Engine.</summary>
    public required string Engine { get; init; }

    /// <summary>Runtime it serves.</summary>
    public required string Runtime { get; init; }

    /// <summary>Program.</summary>
    public string? Path { get; init; }

    /// <summary>Its version.</summary>
    public string? Version { get; init; }

    /// <summary>Whether it works here.</summary>
    public required bool Works { get; init; }

    /// <summary>Whether it is the default of its runtime.</summary>
    public bool Default { get; init; }

    /// <summary>Whether it saves a sandbox's processes and memory and brings them back.</summary>
    public bool MemorySnapshots { get; init; }

    /// <summary>What was tried and found, one sentence.</summary>
    public string? Detail { get; init; }
}

/// <summary>Answer to <c>system.health</c>.</summary>
public sealed record HealthReply
{
    /// <summary><c>healthy, degraded, unhealthy</c>: the worst condition.</summary>
    public required string Status { get; init; }

    /// <summary>What is not well now.</summary>
    public required IReadOnlyList<HealthCondition> Conditions { get; init; }

    /// <summary>The warm pool; absent where it is switched off.</summary>
    public WarmPoolStatus? WarmPool { get; init; }
}

/// <summary>Ready sandboxes kept for creates to come. They are in no list and count against no limit of sandboxes.</summary>
public sealed record WarmPoolStatus
{
    /// <summary>How many are ready now.</summary>
    public required int Ready { get; init; }

    /// <summary>The most there may be.</summary>
    public required int Max { get; init; }

    /// <summary>Creates served from it since the daemon started.</summary>
    public long Taken { get; init; }

    /// <summary>Why there are fewer than wanted; absent when nothing is wrong.</summary>
    public string? Held { get; init; }

    /// <summary>Per shape, the latest used first.</summary>
    public required IReadOnlyList<WarmShapeStatus> Shapes { get; init; }
}

/// <summary>One shape of the warm pool.</summary>
public sealed record WarmShapeStatus
{
    /// <summary>Template as it was asked for.</summary>
    public required string Template { get; init; }

    /// <summary>Runtime as it was asked for.</summary>
    public required string Runtime { get; init; }

    /// <summary>CPUs.</summary>
    public required double Cpus { get; init; }

    /// <summary>Memory, bytes.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Processes and threads.</summary>
    public required int Pids { get; init; }

    /// <summary>How many are ready.</summary>
    public required int Ready { get; init; }

    /// <summary>How many are wanted.</summary>
    public required int Wanted { get; init; }
}

/// <summary>A named condition.</summary>
public sealed record HealthCondition
{
    /// <summary>Stable word.</summary>
    public required string Name { get; init; }

    /// <summary><c>degraded</c> or <c>unhealthy</c>.</summary>
    public required string Severity { get; init; }

    /// <summary>A sentence and what to do.</summary>
    public required string Message { get; init; }

    /// <summary>Since, milliseconds since the Unix epoch.</summary>
    public long SinceUnixMs { get; init; }
}

/// <summary>Answer to <c>system.doctor</c>.</summary>
public sealed record DoctorReply
{
    /// <summary>The checks.</summary>
    public required IReadOnlyList<DoctorCheck> Checks { get; init; }
}

/// <summary>One check of the doctor.</summary>
public sealed record DoctorCheck
{
    /// <summary>Stable word.</summary>
    public required string Name { get; init; }

    /// <summary><c>pass, warn, fail</c>.</summary>
    public required string Status { get; init; }

    /// <summary>What was found.</summary>
    public required string Message { get; init; }

    /// <summary>What to do about it.</summary>
    public string? Hint { get; init; }
}

/// <summary>Answer to <c>system.config</c>: the configuration in force.</summary>
public sealed record ConfigReply
{
    /// <summary>Files read, in order.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>Every key with its value and where it came from.</summary>
    public required IReadOnlyList<ConfigEntry> Entries { get; init; }
}

/// <summary>One setting.</summary>
public sealed record ConfigEntry
{
    /// <summary>Dotted key.</summary>
    public required string Key { get; init; }

    /// <summary>Value as TOML text; secrets are shown as <c>"***"</c>.</summary>
    public required string Value { get; init; }

    /// <summary><c>default</c>, a file with line, <c>environment</c> or <c>flag</c>.</summary>
    public required string Source { get; init; }
}

/// <summary>Parameters of <c>events.subscribe</c>.</summary>
public sealed record SubscribeParams
{
    /// <summary>Only about this sandbox.</summary>
    public string? Ref { get; init; }

    /// <summary>Start with events after this sequence number that are still remembered; absent: only new ones.</summary>
    public long? After { get; init; }

    /// <summary>Do not stay subscribed: send the remembered ones and no more.</summary>
    public bool Once { get; init; }
}

/// <summary>Something that happened, also the <c>event</c> notification.</summary>
public sealed record HostEvent
{
    /// <summary>Grows by one each, over the daemon's life; a restart goes on from the stored value.</summary>
    public required long Sequence { get; init; }

    /// <summary>Milliseconds since the Unix epoch.</summary>
    public required long UnixMs { get; init; }

    /// <summary>Stable dotted word: <c>sandbox.created, sandbox.running, sandbox.stopped, sandbox.failed, sandbox.destroyed, template.built, …</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Sandbox it is about.</summary>
    public string? SandboxId { get; init; }

    /// <summary>Its name.</summary>
    public string? SandboxName { get; init; }

    /// <summary>Reason word.</summary>
    public string? Reason { get; init; }

    /// <summary>For people.</summary>
    public string? Message { get; init; }

    /// <summary>The snapshot of <c>snapshot.created</c> and <c>turn.completed</c>, with what changed.</summary>
    public SnapshotInfo? Snapshot { get; init; }
}
