using Vivarium.Host.Naming;

namespace Vivarium.Host.Snapshots;

/// <summary>Where the data of a sandbox comes from, and how far its turns have come.</summary>
public sealed record Lineage
{
    /// <summary>Snapshot it comes from now: the last one taken, or the one it was rolled back to.</summary>
    public SnapshotId? Head { get; init; }

    /// <summary>Generation of its volume while that is still what <see cref="Head"/> holds; 0 when not known.</summary>
    public long CleanGeneration { get; init; }

    /// <summary>When it was last rolled back, milliseconds since the Unix epoch.</summary>
    public long? RolledBackUnixMs { get; init; }

    /// <summary>Number of the last turn; only grows.</summary>
    public int Turns { get; init; }

    /// <summary>Volume it was made from: a template, or for a fork a snapshot, which is kept for as long as the fork lives.</summary>
    public string? OriginVolume { get; init; }

    /// <summary>The origin is a snapshot.</summary>
    public bool OriginIsSnapshot { get; init; }

    /// <summary>Generation at which it was made from its origin.</summary>
    public long OriginGeneration { get; init; }

    /// <summary>Id of the sandbox it was forked from.</summary>
    public SandboxId? ForkedFrom { get; init; }
}

/// <summary>A rollback under way.</summary>
/// <param name="Target">Snapshot it goes to.</param>
/// <param name="Then">State to be in afterwards: running, paused or stopped.</param>
/// <param name="OnDisk">Paused, without a process.</param>
/// <param name="Exchanged">The volume is the new one: only the processes are missing.</param>
public sealed record RollbackIntent(SnapshotId Target, string Then, bool OnDisk, bool Exchanged = false)
{
    /// <summary>Processes and memory of the target come back too.</summary>
    public bool WithMemory { get; init; }
}
