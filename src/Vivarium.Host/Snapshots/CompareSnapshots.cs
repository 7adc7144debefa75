using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Snapshots;

/// <summary>What differs between two points of a sandbox, or a point and now.</summary>
internal sealed class CompareSnapshots(HostServices host, SnapshotStore store, TakeSnapshot take)
{
    private const int DefaultLimit = 10_000;
    private const int MostEntries = 50_000;
    private const string OriginName = "origin";
    private const string NowName = "now";
    private readonly SnapshotPoints points = new(host.Snapshots);

    /// <summary>Compares. Between snapshots this disturbs nobody; for now, a passing copy is made under the sandbox's gate.</summary>
    public async Task<DiffReply> RunAsync(Sandbox sandbox, DiffParams p, CancellationToken cancellationToken)
    {
        var limit = p.Limit ?? DefaultLimit;
        if (limit is < 0 or > MostEntries)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"comparing: a limit of {limit} entries is out of range", $"Give 0 to {MostEntries}.", "bad_limit");
        }

        var record = sandbox.Record;
        var what = $"comparing points of sandbox {record.Name}";
        var volumes = await store.RequireAsync(what, cancellationToken).ConfigureAwait(false);
        var (start, fromName) = Point(record, p.From ?? host.Snapshots.Find(record.Lineage?.Head)?.Name ?? OriginName);
        var (end, toName) = p.To is null or NowName ? (null, NowName) : Point(record, p.To);
        using var fromPin = host.Snapshots.Pin(start.Volume.Key);
        using var toPin = end is null ? null : host.Snapshots.Pin(end.Volume.Key);
        foreach (var point in (SnapshotPoint?[])[start, end])
        {
            if (point is not null && !volumes.Exists(point.Volume.Kind, point.Volume.Key))
            {
                throw new VivariumException(ErrorCode.NotFound, $"{what}: the data of one of them is no longer there", "'viv snapshots' lists those there are.", "volume_not_found");
            }
        }

        var keep = Math.Max(limit, ChangeList.Named);
        var changes = end is not null
            ? (await SnapshotStore.CompareAsync(volumes, start, end, keep, cancellationToken).ConfigureAwait(false)).Changes
            : await WithNowAsync(volumes, sandbox, start, keep, cancellationToken).ConfigureAwait(false);
        var entries = changes.Entries();
        return new DiffReply
        {
            From = fromName,
            To = toName,
            Summary = changes.Summary(),
            Entries = entries.Count > limit ? [.. entries.Take(limit)] : entries,
            Truncated = changes.Count > limit,
        };
    }

    private async Task<ChangeList> WithNowAsync(Volumes.IVolumeStore volumes, Sandbox sandbox, SnapshotPoint start, int keep, CancellationToken cancellationToken)
    {
        var key = SnapshotId.New().Value;
        using var pin = host.Snapshots.Pin(key);
        try
        {
            // The tree is read from the copy after the gate is free again: only the copying holds the sandbox.
            await sandbox.PerformAsync(GateRules.Snapshot, async token =>
            {
                await take.CopyAsync(volumes, sandbox, key, null, token).ConfigureAwait(false);
                return true;
            }).ConfigureAwait(false);
            return (await SnapshotStore.CompareAsync(volumes, start, points.Now(sandbox.Record, key), keep, cancellationToken).ConfigureAwait(false)).Changes;
        }
        finally
        {
            pin.Dispose();
            _ = store.ReleaseAsync(key);
        }
    }

    private (SnapshotPoint Point, string Name) Point(SandboxRecord sandbox, string reference)
    {
        if (reference == OriginName)
        {
            return (SnapshotPoints.Origin(sandbox.Lineage) ?? throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"comparing points of sandbox {sandbox.Name}: it was made before origins were recorded",
                "Take a snapshot; from there on changes are known.",
                "no_origin"), OriginName);
        }

        var record = host.Snapshots.Resolve(sandbox, reference);
        return (points.Of(record), record.Name);
    }
}
