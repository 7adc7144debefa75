using Vivarium.Configuration.Values;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Snapshots;

/// <summary>All snapshots, and which of their volumes are needed. Changed only under the gate of the sandbox they belong to.</summary>
internal sealed class SnapshotCatalog(SandboxCatalog sandboxes)
{
    private const int ShortestPrefix = 4;

    private readonly Lock gate = new();
    private readonly Dictionary<SnapshotId, SnapshotRecord> byId = [];
    private readonly Dictionary<SandboxId, SortedList<long, SnapshotRecord>> bySandbox = [];
    private readonly Dictionary<string, int> pins = new(StringComparer.Ordinal);
    private readonly HashSet<string> unreadable = new(StringComparer.Ordinal);

    /// <summary>Takes over what the database held.</summary>
    public void Load(IReadOnlyList<SnapshotRecord> records, IReadOnlyList<string> unreadableVolumes)
    {
        Put(records);
        unreadable.UnionWith(unreadableVolumes);
    }

    /// <summary>Adds or replaces.</summary>
    public void Put(IEnumerable<SnapshotRecord> records)
    {
        lock (gate)
        {
            foreach (var record in records)
            {
                byId[record.Id] = record;
                if (!bySandbox.TryGetValue(record.Sandbox, out var own))
                {
                    bySandbox[record.Sandbox] = own = [];
                }

                own[record.Sequence] = record;
            }
        }
    }

    /// <summary>Forgets.</summary>
    public void Remove(IEnumerable<SnapshotId> ids)
    {
        lock (gate)
        {
            foreach (var id in ids)
            {
                if (byId.Remove(id, out var record) && bySandbox.TryGetValue(record.Sandbox, out var own))
                {
                    own.Remove(record.Sequence);
                    if (own.Count == 0)
                    {
                        bySandbox.Remove(record.Sandbox);
                    }
                }
            }
        }
    }

    /// <summary>One by its id.</summary>
    public SnapshotRecord? Find(SnapshotId? id)
    {
        lock (gate)
        {
            return id is { } known ? byId.GetValueOrDefault(known) : null;
        }
    }

    /// <summary>Those of a sandbox, oldest first.</summary>
    public IReadOnlyList<SnapshotRecord> Of(SandboxId sandbox)
    {
        lock (gate)
        {
            return bySandbox.TryGetValue(sandbox, out var own) ? [.. own.Values] : [];
        }
    }

    /// <summary>All, by sandbox, oldest first.</summary>
    public IReadOnlyList<SnapshotRecord> All()
    {
        lock (gate)
        {
            return [.. bySandbox.Values.OrderBy(static own => own.Values[0].Source.CreatedUnixMs).SelectMany(static own => own.Values)];
        }
    }

    /// <summary>One of a sandbox by name, turn number, id or unambiguous beginning of the id.</summary>
    /// <exception cref="VivariumException">not_found <c>no_such_snapshot</c>; invalid_argument <c>ambiguous_reference</c>.</exception>
    public SnapshotRecord Resolve(SandboxRecord sandbox, string reference)
    {
        var own = Of(sandbox.Id);
        var exact = own.FirstOrDefault(s => s.Name == reference) ?? own.FirstOrDefault(s => s.Id.Value == reference)
            ?? (int.TryParse(reference, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var turn) ? own.FirstOrDefault(s => s.Turn == turn) : null);
        if (exact is not null)
        {
            return exact;
        }

        return Single(own, reference) ?? throw new VivariumException(
            ErrorCode.NotFound,
            $"sandbox {sandbox.Name} has no snapshot {NameRules.Quote(reference)}",
            (Suggestion.Nearest(reference, own.Select(static s => s.Name)) is { } near ? $"Did you mean '{near}'? " : string.Empty) + $"'viv snapshots {sandbox.Name}' lists them.",
            "no_such_snapshot");
    }

    /// <summary>One of any sandbox: <c>SANDBOX@SNAPSHOT</c>, an id, or an unambiguous beginning of an id.</summary>
    public SnapshotRecord Resolve(string reference) => TryResolve(reference) ?? throw new VivariumException(
        ErrorCode.NotFound, $"there is no snapshot {NameRules.Quote(reference)}", "Give SANDBOX@SNAPSHOT, or an id from 'viv snapshots'.", "no_such_snapshot");

    /// <summary>As <see cref="Resolve(string)"/>, null when it is no reference to a snapshot.</summary>
    public SnapshotRecord? TryResolve(string reference)
    {
        var at = reference.IndexOf('@', StringComparison.Ordinal);
        if (at > 0)
        {
            return Resolve(sandboxes.Get(reference[..at]).Record, reference[(at + 1)..]);
        }

        return SnapshotId.TryParse(reference, out var id) ? Find(id) : Single(All(), reference);
    }

    /// <summary>Keeps a volume from being removed until disposed.</summary>
    public IDisposable Pin(string volume)
    {
        lock (gate)
        {
            pins[volume] = pins.GetValueOrDefault(volume) + 1;
        }

        return new PinHold(this, volume);
    }

    /// <summary>Whether a volume is some snapshot's data, some fork's origin, or being worked on.</summary>
    public bool Needs(string volume)
    {
        lock (gate)
        {
            if (unreadable.Contains(volume) || pins.ContainsKey(volume) || byId.Values.Any(s => s.Volume == volume || s.Memory?.Key == volume))
            {
                return true;
            }
        }

        return sandboxes.All().Any(s => s.Record.Lineage is { OriginIsSnapshot: true } l && l.OriginVolume == volume || s.Record.Memory?.Key == volume);
    }

    private static SnapshotRecord? Single(IReadOnlyList<SnapshotRecord> among, string prefix)
    {
        List<SnapshotRecord> fitting = prefix.Length < ShortestPrefix ? [] : [.. among.Where(s => s.Id.Value.StartsWith(prefix, StringComparison.Ordinal)).Take(2)];
        return fitting.Count < 2 ? fitting.FirstOrDefault() : throw new VivariumException(
            ErrorCode.InvalidArgument, $"the reference {NameRules.Quote(prefix)} fits more than one snapshot", "Give more characters.", "ambiguous_reference");
    }

    private void Unpin(string volume)
    {
        lock (gate)
        {
            if (--pins[volume] == 0)
            {
                pins.Remove(volume);
            }
        }
    }

    private sealed class PinHold(SnapshotCatalog catalog, string volume) : IDisposable
    {
        private int released;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref released, 1) == 0)
            {
                catalog.Unpin(volume);
            }
        }
    }
}
