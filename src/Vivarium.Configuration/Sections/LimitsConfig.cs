using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Sections;

/// <summary><c>[limits]</c>: what no creator may exceed. Null: no limit of ours.</summary>
public sealed record LimitsConfig
{
    /// <summary>Sandboxes that may exist at once.</summary>
    public int MaxSandboxes { get; init; } = 500;

    /// <summary>CPUs of one sandbox.</summary>
    public double? MaxCpus { get; init; }

    /// <summary>Memory of one sandbox.</summary>
    public ByteSize? MaxMemory { get; init; }

    /// <summary>Processes and threads of one sandbox.</summary>
    public int? MaxPids { get; init; }

    /// <summary>Life of one sandbox.</summary>
    public TimeSpan? MaxTimeout { get; init; }

    /// <summary>Turn snapshots of one sandbox; the oldest go when there are more.</summary>
    public int MaxTurnSnapshots { get; init; } = 500;

    /// <summary>Tool snapshots of one sandbox; the oldest go when there are more.</summary>
    public int MaxToolSnapshots { get; init; } = 100;
}
