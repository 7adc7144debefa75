using System.Text.Json.Serialization;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Snapshots;

/// <summary>What the database holds of a snapshot.</summary>
public sealed record SnapshotRecord
{
    public required SnapshotId Id { get; init; }

    /// <summary>Order of taking within its sandbox.</summary>
    public required long Sequence { get; init; }

    public SnapshotId? Parent { get; init; }

    /// <summary>One of <see cref="SnapshotKind"/>.</summary>
    public required string Kind { get; init; }

    public required string Name { get; init; }

    public int? Turn { get; init; }

    public string? Label { get; init; }

    public string? Message { get; init; }

    public required long CreatedUnixMs { get; init; }

    /// <summary>Key of the volume that holds its data: its own id, or that of an earlier snapshot when nothing had changed.</summary>
    public required string Volume { get; init; }

    public required long Generation { get; init; }

    public long? BytesUnique { get; init; }

    /// <summary>Processes and memory of the same instant; absent when only files were kept.</summary>
    public MemoryImage? Memory { get; init; }

    public bool Held { get; init; }

    public ChangeSummary? Changes { get; init; }

    public long? PausedUs { get; init; }

    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>The sandbox as it was: what a fork of a held snapshot is made like when the sandbox is long gone.</summary>
    public required SandboxRecord Source { get; init; }

    /// <summary>The sandbox it belongs to.</summary>
    [JsonIgnore]
    public SandboxId Sandbox => Source.Id;
}
