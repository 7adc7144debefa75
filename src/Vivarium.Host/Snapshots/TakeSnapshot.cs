using Microsoft.Extensions.Logging;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Snapshots;

/// <summary>Takes snapshots and closes turns.</summary>
internal sealed partial class TakeSnapshot(HostServices host, SnapshotStore store)
{
    /// <summary>A hold is ended by the daemon at once; this is how long the sandbox stands still when the daemon dies in between and its connection stays.</summary>
    private const long HoldMs = 30_000;

    /// <summary>How long the snapshot after a tool waits for other operations.</summary>
    private static readonly TimeSpan ToolPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ToolRetry = TimeSpan.FromMilliseconds(20);

    private readonly ILogger logger = host.Loggers.CreateLogger<TakeSnapshot>();
    private readonly MemoryImages memories = new(host);
    private readonly SnapshotPoints points = new(host.Snapshots);

    /// <summary>Takes a named snapshot.</summary>
    public Task<SnapshotRecord> NamedAsync(Sandbox sandbox, SnapshotParams p)
    {
        if (p.Name is not null)
        {
            SnapshotNames.Check(p.Name);
        }

        SnapshotNames.CheckTexts(null, p.Message);
        NameRules.CheckLabels(p.Labels ?? new Dictionary<string, string>());
        return sandbox.PerformAsync(GateRules.Snapshot, token =>
        {
            var taken = host.Snapshots.Of(sandbox.Record.Id);
            if (p.Name is not null && taken.Any(s => s.Name == p.Name))
            {
                throw new VivariumException(
                    ErrorCode.AlreadyExists, $"taking a snapshot of sandbox {sandbox.Record.Name}: it has one called '{p.Name}'", "Choose another name, or rename or remove that one.", "name_taken");
            }

            var name = p.Name ?? NameGenerator.Next(n => taken.Any(s => s.Name == n));
            return TakeAsync(sandbox, new Wanted(SnapshotKind.Named, name) { Message = p.Message, Labels = p.Labels, Held = p.Hold, Memory = p.Memory }, token);
        });
    }

    /// <summary>Closes a turn. Two at once are done one after the other; other operations are refused meanwhile, as always.</summary>
    public Task<SnapshotRecord> TurnAsync(Sandbox sandbox, TurnParams p)
    {
        SnapshotNames.CheckTexts(p.Label, p.Message);
        NameRules.CheckLabels(p.Labels ?? new Dictionary<string, string>());
        return sandbox.Turning.RunAsync(() => sandbox.PerformAsync(GateRules.Turn, token =>
        {
            var number = (sandbox.Record.Lineage?.Turns ?? 0) + 1;
            return TakeAsync(sandbox, new Wanted(SnapshotKind.Turn, SnapshotNames.OfTurn(number)) { Turn = number, Label = p.Label, Message = p.Message, Labels = p.Labels }, token);
        }));
    }

    /// <summary>
    /// Takes the snapshot after a tool. Those of tools that ended at once are taken one after the other, and they wait for other operations; if the sandbox was rolled back
    /// since, what the tool did is gone, and there is nothing to take.
    /// </summary>
    public Task<SnapshotRecord> ToolAsync(Sandbox sandbox, string tool, string? callId, int generation) => sandbox.Turning.RunAsync(async () =>
    {
        for (var began = host.Time.GetTimestamp(); ;)
        {
            try
            {
                return await sandbox.PerformAsync(GateRules.Snapshot, token =>
                {
                    if (sandbox.Tools.Generation != generation)
                    {
                        throw new VivariumException(ErrorCode.FailedPrecondition, $"taking a snapshot of sandbox {sandbox.Record.Name}: it was rolled back after the tool had ended", null, "rolled_back");
                    }

                    return TakeAsync(sandbox, new Wanted(SnapshotKind.Tool, SnapshotNames.OfTool(tool, NextSequence(sandbox.Record.Id))) { Label = callId }, token);
                }).ConfigureAwait(false);
            }
            catch (VivariumException e) when (e.Reason == "operation_in_progress" && host.Time.GetElapsedTime(began) < ToolPatience)
            {
                await Task.Delay(ToolRetry, host.Time).ConfigureAwait(false);
            }
        }
    });

    /// <summary>
    /// Makes a copy of the volume as it is at one instant, with processes and memory of the same instant when an image is given, and says how long the sandbox stood still for it. The
    /// caller has pinned the keys.
    /// </summary>
    public async Task<(long? PausedUs, MemoryImage? Memory)> CopyAsync(IVolumeStore volumes, Sandbox sandbox, string key, MemoryImage? memory, CancellationToken cancellationToken)
    {
        if (memory is null)
        {
            return (await CopyFilesAsync(volumes, sandbox, key, null, cancellationToken).ConfigureAwait(false), null);
        }

        var directory = await volumes.CreateAsync(VolumeKind.Snapshot, memory.Key, cancellationToken).ConfigureAwait(false);
        try
        {
            var paused = await CopyFilesAsync(volumes, sandbox, key, directory, cancellationToken).ConfigureAwait(false);
            return (paused, await MemoryImages.CommitAsync(volumes, memory).ConfigureAwait(false));
        }
        catch
        {
            await volumes.AbandonAsync(VolumeKind.Snapshot, memory.Key, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }

    private async Task<long?> CopyFilesAsync(IVolumeStore volumes, Sandbox sandbox, string key, string? memoryDirectory, CancellationToken cancellationToken)
    {
        var record = sandbox.Record;
        if (sandbox.Link is not { IsOver: false } link || (record.State != SandboxState.Running && memoryDirectory is null))
        {
            await volumes.CloneAsync(VolumeKind.Sandbox, record.Id.Value, VolumeKind.Snapshot, key, cancellationToken).ConfigureAwait(false);
            return null;
        }

        if (WritesThrough(record))
        {
            // What is dirty goes to disk while everything still runs, so that little is left for the moment it stands still.
            await volumes.GenerationAsync(VolumeKind.Sandbox, record.Id.Value, flush: true, cancellationToken).ConfigureAwait(false);
        }

        var thawed = default(ThawReply);
        try
        {
            await link.FreezeAsync(new FreezeParams { HoldMs = HoldMs, MemoryDirectory = memoryDirectory }, cancellationToken).ConfigureAwait(false);

            // Seen through once begun: the sandbox stands still, and a volume must not appear after its caller has given up.
            await volumes.CloneAsync(VolumeKind.Sandbox, record.Id.Value, VolumeKind.Snapshot, key, CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            thawed = await ThawAsync(sandbox, link).ConfigureAwait(false);
        }

        if (memoryDirectory is not null && thawed is not { Held: true })
        {
            throw new VivariumException(
                ErrorCode.Unavailable, $"taking a snapshot of sandbox {record.Name}: it went on before its files were copied, so its memory and its files are not of one instant", "Try again.", "not_held");
        }

        return thawed is { Held: true } ? thawed.PausedUs : null;
    }

    private async Task<SnapshotRecord> TakeAsync(Sandbox sandbox, Wanted wanted, CancellationToken cancellationToken)
    {
        var before = sandbox.Record;
        var what = $"taking a snapshot of sandbox {before.Name}";
        var volumes = await store.RequireAsync(what, cancellationToken).ConfigureAwait(false);
        await store.RequireRoomAsync(volumes, what, cancellationToken).ConfigureAwait(false);
        var lineage = before.Lineage ?? new Lineage();
        var head = host.Snapshots.Find(lineage.Head);
        var id = SnapshotId.New();
        var image = wanted.Memory ? await memories.PlanAsync(sandbox, what, cancellationToken).ConfigureAwait(false) : null;
        if (wanted.MayShare && head is not null && await IsUnchangedAsync(volumes, before, cancellationToken).ConfigureAwait(false))
        {
            return await RecordAsync(sandbox, wanted, Shared(id, wanted, head, before, null), lineage with { Head = id }).ConfigureAwait(false);
        }

        using var pin = host.Snapshots.Pin(id.Value);
        using var memoryPin = image is null ? null : host.Snapshots.Pin(image.Key);
        try
        {
            (var paused, image) = await CopyAsync(volumes, sandbox, id.Value, image, cancellationToken).ConfigureAwait(false);
            var generation = await volumes.GenerationAsync(VolumeKind.Snapshot, id.Value, flush: false, cancellationToken).ConfigureAwait(false);
            ChangeList? changes = null;
            long? written = null;
            if (points.Base(before) is { } since && volumes.Exists(since.Volume.Kind, since.Volume.Key))
            {
                (changes, written) = await SnapshotStore.CompareAsync(volumes, since, points.Now(before, id.Value), ChangeList.Named, cancellationToken).ConfigureAwait(false);
            }

            if (wanted.MayShare && head is not null && changes is { Count: 0 })
            {
                // Something was done and undone, or only read: what is there is what was there.
                pin.Dispose();
                _ = store.ReleaseAsync(id.Value);
                return await RecordAsync(sandbox, wanted, Shared(id, wanted, head, before, paused), lineage with { Head = id, CleanGeneration = generation }).ConfigureAwait(false);
            }

            var record = new SnapshotRecord
            {
                Id = id,
                Sequence = NextSequence(before.Id),
                Parent = lineage.Head,
                Kind = wanted.Kind,
                Name = wanted.Name,
                Turn = wanted.Turn,
                Label = wanted.Label,
                Message = wanted.Message,
                CreatedUnixMs = host.Now,
                Volume = id.Value,
                Generation = generation,
                BytesUnique = written,
                Memory = image,
                Held = wanted.Held,
                Changes = changes?.Summary(),
                PausedUs = paused,
                Labels = wanted.Labels,
                Source = Kept(before),
            };
            return await RecordAsync(sandbox, wanted, record, lineage with { Head = id, CleanGeneration = generation }).ConfigureAwait(false);
        }
        catch
        {
            pin.Dispose();
            memoryPin?.Dispose();
            await store.ReleaseAsync(id.Value).ConfigureAwait(false);
            await memories.ReleaseAsync(image).ConfigureAwait(false);
            throw;
        }
    }

    private async Task<SnapshotRecord> RecordAsync(Sandbox sandbox, Wanted wanted, SnapshotRecord record, Lineage lineage)
    {
        var next = sandbox.Record with { Lineage = lineage with { Turns = wanted.Turn ?? lineage.Turns } };
        var doomed = store.TooMany(next, wanted.Kind);
        var (moved, _) = store.Without(doomed, null);
        if (record.Parent is { } parent && doomed.FirstOrDefault(d => d.Id == parent) is { } gone)
        {
            record = record with { Parent = gone.Parent };
        }

        await store.ChangeAsync(sandbox, next, [.. moved, record], doomed).ConfigureAwait(false);
        host.Events.Publish(wanted.Turn is null ? "snapshot.created" : "turn.completed", next, record.Name, Sentence(record), SnapshotView.Of(record, next));
        foreach (var pruned in doomed)
        {
            host.Events.Publish("snapshot.removed", next, "pruned", pruned.Name);
        }

        return record;
    }

    private SnapshotRecord Shared(SnapshotId id, Wanted wanted, SnapshotRecord head, SandboxRecord sandbox, long? paused) => new()
    {
        Id = id,
        Sequence = NextSequence(sandbox.Id),
        Parent = head.Id,
        Kind = wanted.Kind,
        Name = wanted.Name,
        Turn = wanted.Turn,
        Label = wanted.Label,
        Message = wanted.Message,
        CreatedUnixMs = host.Now,
        Volume = head.Volume,
        Generation = head.Generation,
        BytesUnique = 0,
        Held = wanted.Held,
        Changes = new ChangeSummary { Added = 0, Changed = 0, Removed = 0 },
        PausedUs = paused,
        Labels = wanted.Labels,
        Source = Kept(sandbox),
    };

    /// <summary>Whether the host sees at once what the sandbox writes: a guest that keeps data to itself has to be asked first.</summary>
    private static bool WritesThrough(SandboxRecord record) => record.Runtime is "container" or "direct";

    private static async Task<bool> IsUnchangedAsync(IVolumeStore volumes, SandboxRecord record, CancellationToken cancellationToken) =>
        record.Lineage is { CleanGeneration: > 0 } && WritesThrough(record)
        && await volumes.GenerationAsync(VolumeKind.Sandbox, record.Id.Value, flush: true, cancellationToken).ConfigureAwait(false) == record.Lineage!.CleanGeneration;

    private async Task<ThawReply?> ThawAsync(Sandbox sandbox, Supervision.SupervisorLink link)
    {
        try
        {
            // Whoever gave up: it must go on.
            return await link.ThawAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (VivariumException e)
        {
            LogThawFailed(e, sandbox.Record.Id.Value);
            return null;
        }
    }

    private long NextSequence(SandboxId sandbox) => host.Snapshots.Of(sandbox) is { Count: > 0 } own ? own[^1].Sequence + 1 : 1;

    /// <summary>What a record remembers of its sandbox: all but what is of the moment.</summary>
    private static SandboxRecord Kept(SandboxRecord record) => record with { Reason = null, Message = null, Rollback = null, BootId = null, Memory = null };

    private static string Sentence(SnapshotRecord record) => record.Changes is { } c
        ? $"{c.Added} added, {c.Changed} changed, {c.Removed} removed"
        : "the first point that is known";

    private sealed record Wanted(string Kind, string Name)
    {
        /// <summary>Whether it may be the same data as the one before: what a person asks for by name is always a volume of its own.</summary>
        public bool MayShare => Kind is SnapshotKind.Turn or SnapshotKind.Tool;

        public int? Turn { get; init; }

        public string? Label { get; init; }

        public string? Message { get; init; }

        public IReadOnlyDictionary<string, string>? Labels { get; init; }

        public bool Held { get; init; }

        public bool Memory { get; init; }
    }

    [LoggerMessage(EventId = 1811, Level = LogLevel.Warning, Message = "letting sandbox {SandboxId} go on after a snapshot failed; its supervisor does it when its time is over")]
    private partial void LogThawFailed(Exception exception, string sandboxId);
}
