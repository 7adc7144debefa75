using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Volumes;

namespace Vivarium.Host.Snapshots;

/// <summary>A point of a sandbox that can be compared with another.</summary>
/// <param name="Volume">Its data.</param>
/// <param name="Path">Where it comes from, itself first: key and generation of each point up to the origin.</param>
internal sealed record SnapshotPoint(VolumeRef Volume, IReadOnlyList<(string Key, long Generation)> Path)
{
    /// <summary>Generation of the newest point both come from; 0 when none is known.</summary>
    public long CommonWith(SnapshotPoint other)
    {
        foreach (var (key, generation) in Path)
        {
            if (other.Path.Any(p => p.Key == key))
            {
                return generation;
            }
        }

        return 0;
    }
}

/// <summary>Finds points by following the tree of snapshots.</summary>
internal sealed class SnapshotPoints(SnapshotCatalog catalog)
{
    /// <summary>Where the sandbox began; null for one made before snapshots were known.</summary>
    public static SnapshotPoint? Origin(Lineage? lineage) =>
        lineage?.OriginVolume is { } key ? new SnapshotPoint(new VolumeRef(lineage.OriginIsSnapshot ? VolumeKind.Snapshot : VolumeKind.Template, key), [(key, lineage.OriginGeneration)]) : null;

    /// <summary>A snapshot.</summary>
    public SnapshotPoint Of(SnapshotRecord record) => new(new VolumeRef(VolumeKind.Snapshot, record.Volume), PathFrom(record.Id, record.Source.Lineage));

    /// <summary>A volume taken of the sandbox just now.</summary>
    public SnapshotPoint Now(SandboxRecord sandbox, string volume) => new(new VolumeRef(VolumeKind.Snapshot, volume), PathFrom(sandbox.Lineage?.Head, sandbox.Lineage));

    /// <summary>What the next snapshot is compared with: the one the sandbox stands on, else its origin.</summary>
    public SnapshotPoint? Base(SandboxRecord sandbox) => catalog.Find(sandbox.Lineage?.Head) is { } head ? Of(head) : Origin(sandbox.Lineage);

    private List<(string Key, long Generation)> PathFrom(SnapshotId? first, Lineage? lineage)
    {
        var path = new List<(string, long)>();
        for (var at = catalog.Find(first); at is not null; at = catalog.Find(at.Parent))
        {
            path.Add((at.Volume, at.Generation));
        }

        if (Origin(lineage) is { } origin)
        {
            path.AddRange(origin.Path);
        }

        return path;
    }
}
