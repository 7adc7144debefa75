using Vivarium.Host.Operations;
using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Snapshots;

/// <summary>Lists, shows, renames, holds and deletes snapshots. What changes the tree of a sandbox runs under its gate; a held snapshot may have none any more.</summary>
internal sealed class KeepSnapshots(HostServices host, SnapshotStore store)
{
    private readonly Turnstile ownerless = new();

    /// <summary>Those of one sandbox, or all.</summary>
    public SnapshotList List(SnapshotListParams p)
    {
        if (p.Kind is not null and not (SnapshotKind.Turn or SnapshotKind.Tool or SnapshotKind.Named or SnapshotKind.Pause))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"listing snapshots: the kind {Naming.NameRules.Quote(p.Kind)} is not known", "Use turn, tool, named or pause.", "bad_kind");
        }

        // A sandbox that is gone is named by its whole id: its held snapshots are all that is left of it.
        var records = p.Ref is null ? host.Snapshots.All()
            : host.Catalog.Find(p.Ref) is { } sandbox ? host.Snapshots.Of(sandbox.Record.Id)
            : Naming.SandboxId.TryParse(p.Ref, out var id) && host.Snapshots.Of(id) is { Count: > 0 } left ? left
            : host.Snapshots.Of(host.Catalog.Get(p.Ref).Record.Id);
        return new SnapshotList { Snapshots = [.. records.Where(r => p.Kind is null || r.Kind == p.Kind).Select(View)] };
    }

    /// <summary>One.</summary>
    public SnapshotRecord Find(string? sandbox, string reference) =>
        sandbox is null || reference.Contains('@', StringComparison.Ordinal) ? host.Snapshots.Resolve(reference)
        : host.Catalog.Find(sandbox) is { } owner ? host.Snapshots.Resolve(owner.Record, reference)
        : Naming.SandboxId.TryParse(sandbox, out var id) && host.Snapshots.Of(id) is { Count: > 0 } left ? host.Snapshots.Resolve(left[0].Source, reference)
        : host.Snapshots.Resolve(host.Catalog.Get(sandbox).Record, reference);

    /// <summary>The form API calls show.</summary>
    public SnapshotInfo View(SnapshotRecord record) => SnapshotView.Of(record, host.Catalog.Find(record.Sandbox.Value)?.Record);

    /// <summary>Gives a named snapshot another name.</summary>
    public Task<SnapshotRecord> RenameAsync(RenameSnapshotParams p)
    {
        SnapshotNames.Check(p.Name);
        return ChangeAsync(Find(p.Ref, p.Snapshot), record =>
        {
            if (record.Kind != SnapshotKind.Named)
            {
                throw new VivariumException(ErrorCode.FailedPrecondition, $"renaming snapshot {record.Name}: a {record.Kind} snapshot keeps its name", "Take a named snapshot of that point: fork or roll back to it.", "not_named");
            }

            if (host.Snapshots.Of(record.Sandbox).Any(s => s.Name == p.Name && s.Id != record.Id))
            {
                throw new VivariumException(ErrorCode.AlreadyExists, $"renaming snapshot {record.Name}: there is one called '{p.Name}'", "Choose another name.", "name_taken");
            }

            return record with { Name = p.Name };
        });
    }

    /// <summary>Holds a snapshot or lets it go. One let go of whose sandbox is gone is deleted: nothing else would ever do it.</summary>
    public async Task<SnapshotRecord> HoldAsync(HoldSnapshotParams p)
    {
        var changed = await ChangeAsync(Find(p.Ref, p.Snapshot), record => record with { Held = p.Held }).ConfigureAwait(false);
        if (!changed.Held && !host.Catalog.Contains(changed.Sandbox.Value))
        {
            await store.ForgetAsync(changed.Sandbox).ConfigureAwait(false);
        }

        return changed;
    }

    /// <summary>Deletes one; what came from it then comes from the one before it.</summary>
    public async Task DeleteAsync(SnapshotRefParams p)
    {
        var found = Find(p.Ref, p.Snapshot);
        await UnderGateAsync(found, async sandbox =>
        {
            var record = host.Snapshots.Find(found.Id);
            if (record is null)
            {
                return true;
            }

            if (record.Held)
            {
                throw new VivariumException(
                    ErrorCode.FailedPrecondition, $"deleting snapshot {record.Name}: it is held", $"Let go of it first: viv snapshots {record.Source.Name} --unhold {record.Name}", "held");
            }

            var (moved, next) = store.Without([record], sandbox?.Record);
            await store.ChangeAsync(sandbox, next, moved, [record]).ConfigureAwait(false);
            host.Events.Publish("snapshot.removed", sandbox?.Record ?? record.Source, "requested", record.Name);
            return true;
        }).ConfigureAwait(false);
    }

    private Task<SnapshotRecord> ChangeAsync(SnapshotRecord found, Func<SnapshotRecord, SnapshotRecord> change) => UnderGateAsync(found, async _ =>
    {
        var record = host.Snapshots.Find(found.Id) ?? throw new VivariumException(
            ErrorCode.NotFound, $"changing snapshot {found.Name}: it has been removed meanwhile", "'viv snapshots' lists those there are.", "no_such_snapshot");
        var next = change(record);
        await store.ChangeAsync(null, null, [next], []).ConfigureAwait(false);
        return next;
    });

    private Task<T> UnderGateAsync<T>(SnapshotRecord record, Func<Sandbox?, Task<T>> work) => host.Catalog.Find(record.Sandbox.Value) is { } sandbox
        ? sandbox.PerformAsync(GateRules.ChangeSnapshots, _ => work(sandbox))
        : ownerless.RunAsync(() => work(null));
}
