namespace Vivarium.Linux.Cgroups;

/// <summary>Limits of a group; null leaves one as it is.</summary>
public sealed record CgroupLimits
{
    /// <summary>Processors' worth of time, for example 1.5; at least 0.01.</summary>
    public double? Cpus { get; init; }

    /// <summary>Memory, bytes, swap included: what does not fit is killed, not swapped.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Processes and threads.</summary>
    public int? Pids { get; init; }
}

/// <summary>What a group uses; null where its controller is not there.</summary>
/// <param name="CpuTime">CPU time since the group was made.</param>
/// <param name="MemoryBytes">Memory that could not be reclaimed easily: without the inactive page cache.</param>
/// <param name="MemoryPeakBytes">Most memory ever in use, page cache included.</param>
/// <param name="Pids">Processes and threads now.</param>
/// <param name="OomKills">Processes killed because the limit was reached.</param>
public sealed record CgroupUsage(TimeSpan? CpuTime, long? MemoryBytes, long? MemoryPeakBytes, long? Pids, long? OomKills);
