using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Snapshots;

/// <summary>The form of a snapshot that API calls show.</summary>
internal static class SnapshotView
{
    /// <summary>The record, and whether it is where its sandbox stands now.</summary>
    public static SnapshotInfo Of(SnapshotRecord r, SandboxRecord? sandbox) => new()
    {
        Id = r.Id.Value,
        SandboxId = r.Sandbox.Value,
        SandboxName = sandbox?.Name ?? r.Source.Name,
        Parent = r.Parent?.Value,
        Kind = r.Kind,
        Name = r.Name,
        Turn = r.Turn,
        Label = r.Label,
        Message = r.Message,
        CreatedUnixMs = r.CreatedUnixMs,
        Generation = r.Generation,
        BytesUnique = r.BytesUnique,
        HasMemory = r.Memory is not null,
        MemoryBytes = r.Memory?.Bytes,
        Held = r.Held,
        Unchanged = r.Volume != r.Id.Value,
        Current = sandbox?.Lineage?.Head == r.Id,
        Changes = r.Changes,
        PausedUs = r.PausedUs,
        Labels = r.Labels,
    };
}
