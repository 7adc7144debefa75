namespace Vivarium.Wire.Host;

/// <summary>Parameters of <c>sandbox.set</c>: what is absent stays as it is. All of it is checked before any of it is changed.</summary>
public sealed record SetParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>CPUs; at once when it runs.</summary>
    public double? Cpus { get; init; }

    /// <summary>Memory in bytes; at once when it runs. Below what is in use it is refused (<c>memory_in_use</c>).</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Processes and threads; at once when it runs. Below what runs, nothing ends and nothing new starts.</summary>
    public int? Pids { get; init; }

    /// <summary>Disk space in bytes, 0 for no limit; at once. Below what is in use, nothing is lost and nothing more can be written.</summary>
    public long? DiskBytes { get; init; }

    /// <summary>Life in milliseconds from now; 0 removes the limit.</summary>
    public long? TimeoutMs { get; init; }

    /// <summary>Idle limit in milliseconds; 0 removes it.</summary>
    public long? IdleTimeoutMs { get; init; }

    /// <summary><c>kill</c> or <c>pause</c>.</summary>
    public string? OnTimeout { get; init; }

    /// <summary>Labels to add or change.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Labels to take away; one that is not there is no error.</summary>
    public IReadOnlyList<string>? RemoveLabels { get; init; }
}

/// <summary>Answer to <c>sandbox.set</c>.</summary>
public sealed record SetReply
{
    /// <summary>The sandbox as it is now.</summary>
    public required SandboxInfo Sandbox { get; init; }

    /// <summary>What takes effect only with the next start, one sentence each.</summary>
    public IReadOnlyList<string>? AtNextStart { get; init; }
}
