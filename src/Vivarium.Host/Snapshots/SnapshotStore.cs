using Microsoft.Extensions.Logging;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Snapshots;

/// <summary>
/// Records of snapshots and the volumes behind them, kept together: a volume is made before its record and removed after it, so a crash in between leaves a volume nobody
/// names, which the next start removes.
/// </summary>
internal sealed partial class SnapshotStore(HostServices host)
{
    private readonly ILogger logger = host.Loggers.CreateLogger<SnapshotStore>();

    private SnapshotCatalog Catalog => host.Snapshots;

    /// <summary>The pool, when it can make snapshots.</summary>
    public async Task<IVolumeStore> RequireAsync(string what, CancellationToken cancellationToken)
    {
        var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        return volumes.Capabilities.Snapshots ? volumes : throw new VivariumException(
            ErrorCode.FailedPrecondition,
            $"{what}: the {volumes.Name} store cannot make snapshots",
            "Use a btrfs pool: run the daemon as root with [pool] store = \"auto\" or \"btrfs\".",
            "snapshots_not_available");
    }

    /// <summary>Refuses when the pool is too full for anything new.</summary>
    public async Task RequireRoomAsync(IVolumeStore volumes, string what, CancellationToken cancellationToken)
    {
        var health = await host.Pool.CheckAsync(volumes, cancellationToken).ConfigureAwait(false);
        if (health.State is PoolState.Critical or PoolState.Unusable)
        {
            var full = health.State == PoolState.Critical;
            throw new VivariumException(
                full ? ErrorCode.ResourceExhausted : ErrorCode.Unavailable,
                $"{what}: {health.Message}",
                "Remove snapshots, sandboxes or templates, or make the pool larger.",
                full ? "pool_full" : "pool_unusable");
        }
    }

    /// <summary>Stores a change of the tree, with the sandbox that stands on it, then shows it.</summary>
    public async Task ChangeAsync(Sandbox? sandbox, SandboxRecord? next, IReadOnlyCollection<SnapshotRecord> put, IReadOnlyCollection<SnapshotRecord> remove)
    {
        var ids = remove.Select(static r => r.Id).ToArray();
        await host.SnapshotTable.ChangeAsync(next, put, ids).ConfigureAwait(false);
        if (sandbox is not null && next is not null)
        {
            sandbox.Publish(next);
        }

        Catalog.Put(put);
        Catalog.Remove(ids);
        foreach (var record in remove)
        {
            _ = ReleaseAsync(record.Volume);
            if (record.Memory is { } memory)
            {
                _ = ReleaseAsync(memory.Key);
            }
        }
    }

    /// <summary>Plans the removal of some snapshots of one sandbox: those that came from them come from the ones before.</summary>
    public (IReadOnlyList<SnapshotRecord> Put, SandboxRecord? Sandbox) Without(IReadOnlyCollection<SnapshotRecord> doomed, SandboxRecord? sandbox)
    {
        var gone = doomed.ToDictionary(static r => r.Id);
        var own = doomed.Count == 0 ? [] : Catalog.Of(doomed.First().Sandbox);
        List<SnapshotRecord> moved = [.. own.Where(r => !gone.ContainsKey(r.Id) && r.Parent is { } parent && gone.ContainsKey(parent)).Select(r => r with { Parent = Before(r.Parent) })];
        if (sandbox?.Lineage is { Head: { } head } lineage && gone.ContainsKey(head))
        {
            // Its data is no longer kept anywhere, so the next turn cannot share it.
            sandbox = sandbox with { Lineage = lineage with { Head = Before(head), CleanGeneration = 0 } };
        }

        return (moved, sandbox);

        SnapshotId? Before(SnapshotId? id)
        {
            while (id is { } at && gone.TryGetValue(at, out var record))
            {
                id = record.Parent;
            }

            return id;
        }
    }

    /// <summary>Forgets the snapshots of a sandbox that is gone, except held ones.</summary>
    public async Task ForgetAsync(SandboxId sandbox)
    {
        var doomed = Catalog.Of(sandbox).Where(static r => !r.Held).ToArray();
        if (doomed.Length == 0)
        {
            return;
        }

        var (moved, _) = Without(doomed, null);
        await ChangeAsync(null, null, moved, doomed).ConfigureAwait(false);
    }

    /// <summary>Removes a snapshot's volume when nothing needs it any more. What fails is tried again; a crash leaves an orphan that the next start removes.</summary>
    public async Task ReleaseAsync(string volume)
    {
        try
        {
            await ReleaseNowAsync(volume).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogReleaseFailed(e, volume);
            host.Leftovers.Add("data of snapshot", volume, e, () => ReleaseNowAsync(volume));
        }
    }

    private async Task ReleaseNowAsync(string volume)
    {
        if (Catalog.Needs(volume))
        {
            return;
        }

        // Not tied to any request: the record is gone for its caller already.
        var volumes = await host.Pool.GetAsync(CancellationToken.None).ConfigureAwait(false);
        await volumes.DeleteAsync(VolumeKind.Snapshot, volume, CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>What differs between two points.</summary>
    public static async Task<(ChangeList Changes, long? Written)> CompareAsync(IVolumeStore volumes, SnapshotPoint from, SnapshotPoint to, int keep, CancellationToken cancellationToken)
    {
        var changes = new ChangeList(keep);
        if (from.Volume == to.Volume)
        {
            return (changes, 0);
        }

        var written = await volumes.CompareAsync(from.Volume, to.Volume, from.CommonWith(to), changes.Add, cancellationToken).ConfigureAwait(false);
        return (changes, written);
    }

    /// <summary>The oldest of a kind that are too many now that one more comes.</summary>
    public IReadOnlyList<SnapshotRecord> TooMany(SandboxRecord sandbox, string kind)
    {
        var most = kind switch
        {
            SnapshotKind.Turn => host.Config.Limits.MaxTurnSnapshots,
            SnapshotKind.Tool => host.Config.Limits.MaxToolSnapshots,
            _ => int.MaxValue,
        };
        SnapshotRecord[] those = [.. Catalog.Of(sandbox.Id).Where(s => s.Kind == kind && !s.Held)];
        return those.Length < most ? [] : those[..(those.Length - most + 1)];
    }

    [LoggerMessage(EventId = 1801, Level = LogLevel.Warning, Message = "removing the data of snapshot {Volume} failed; it is tried again until it is gone")]
    private partial void LogReleaseFailed(Exception exception, string volume);
}
