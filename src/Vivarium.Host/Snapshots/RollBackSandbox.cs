using Microsoft.Extensions.Logging;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Supervision;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Snapshots;

/// <summary>
/// Puts a sandbox back to one of its snapshots: same id, name, address and time left; its processes end and its init starts anew.
/// </summary>
/// <remarks>
/// The snapshot is looked for before anything changes. Then: intent on disk → processes ended → volume exchanged in one step → record on disk → started again. A
/// daemon that dies anywhere in between completes it at its next start; exchanging twice gives the same, and once exchanged is on record it is not done again. What fails before the exchange leaves the old data, and
/// the sandbox is started on it again.
/// </remarks>
internal sealed partial class RollBackSandbox(HostServices host, SnapshotStore store, StartSandbox start, EndSandbox end)
{
    private readonly ILogger logger = host.Loggers.CreateLogger<RollBackSandbox>();
    private readonly MemoryImages memories = new(host);

    private const string FilesOnly = "With --no-memory its files alone are brought back.";

    /// <summary>Rolls back.</summary>
    public Task<SandboxRecord> RunAsync(Sandbox sandbox, RollbackParams p) => sandbox.PerformAsync(GateRules.Rollback, async token =>
    {
        var before = sandbox.Record;
        var what = $"rolling back sandbox {before.Name}";
        var volumes = await store.RequireAsync(what, token).ConfigureAwait(false);
        var target = host.Snapshots.Resolve(before, p.Snapshot);
        using var pin = host.Snapshots.Pin(target.Volume);
        if (!volumes.Exists(VolumeKind.Snapshot, target.Volume))
        {
            throw new VivariumException(ErrorCode.NotFound, $"{what}: the data of {target.Name} is no longer there; nothing has been changed", "'viv snapshots' lists those there are.", "volume_not_found");
        }

        var then = before.State == SandboxState.Failed ? SandboxState.Stopped : before.State;
        if (p.Memory == true && (target.Memory is null || then == SandboxState.Stopped))
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"{what} with memory: {(target.Memory is null ? $"{target.Name} has none" : "it is stopped, and stays so")}; nothing has been changed",
                "Leave --memory out.",
                "no_memory");
        }

        var memory = p.Memory == false || then == SandboxState.Stopped ? null : target.Memory;
        using var memoryPin = memory is null ? null : host.Snapshots.Pin(memory.Key);
        if (memory is not null)
        {
            await memories.EngineAsync(volumes, memory, what, FilesOnly, token).ConfigureAwait(false);
        }

        using var door = sandbox.Tools.TryClose(p.Force) ?? throw ToolsInFlight.Refusal(what, sandbox.Tools.Count, "and would be ended; nothing has been changed", "Wait until they have ended, or roll back with force.");
        var intent = new RollbackIntent(target.Id, then, before.OnDisk) { WithMemory = memory is not null };
        sandbox.Publish(before with { State = SandboxState.RollingBack, Reason = null, Message = null, Rollback = intent });
        await host.Table.UpdateAsync(sandbox.Record).ConfigureAwait(false);

        // The next supervisor's program loads while the last one ends.
        await using var supervisor = then == SandboxState.Stopped || before.OnDisk ? null : host.Launcher.Prepare(before.Id);
        try
        {
            await EndProcessesAsync(sandbox, token).ConfigureAwait(false);
            token.ThrowIfCancellationRequested();
            await ExchangeAsync(volumes, sandbox, target, p.DiscardLater).ConfigureAwait(false);
        }
        catch (Exception e) when (!token.IsCancellationRequested)
        {
            LogFailed(e, before.Id.Value);
            sandbox.Publish(sandbox.Record with { State = SandboxState.Starting, Rollback = null });
            await SettleAsync(sandbox, intent with { WithMemory = false }, null, supervisor, token).ConfigureAwait(false);
            throw;
        }

        await memories.ReleaseAsync(before.Memory).ConfigureAwait(false);
        host.Events.Publish("sandbox.rolled_back", sandbox.Record, target.Name);
        await SettleAsync(sandbox, intent, p.Secrets, supervisor, token).ConfigureAwait(false);
        return sandbox.Record;
    });

    /// <summary>Completes a rollback that the last daemon began; runs under the gate.</summary>
    public async Task CompleteAsync(Sandbox sandbox, CancellationToken cancellationToken)
    {
        var intent = sandbox.Record.Rollback!;
        var target = host.Snapshots.Find(intent.Target);
        var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        await EndProcessesAsync(sandbox, cancellationToken).ConfigureAwait(false);
        if (intent.Exchanged)
        {
            // What was brought back may have run on the new volume already, and then the memory does not fit it any more.
            var generation = await volumes.GenerationAsync(VolumeKind.Sandbox, sandbox.Record.Id.Value, flush: true, cancellationToken).ConfigureAwait(false);
            intent = intent with { WithMemory = intent.WithMemory && generation != 0 && generation == sandbox.Record.Lineage?.CleanGeneration };
            LogCompleted(sandbox.Record.Id.Value, target?.Name ?? intent.Target.Value);
        }
        else if (target is not null && volumes.Exists(VolumeKind.Snapshot, target.Volume))
        {
            await ExchangeAsync(volumes, sandbox, target, discardLater: false).ConfigureAwait(false);
            LogCompleted(sandbox.Record.Id.Value, target.Name);
        }
        else
        {
            // Not taken away by us while a rollback needed it; the data is the old, whole one.
            intent = intent with { WithMemory = false };
            sandbox.Publish(sandbox.Record with { State = SandboxState.Starting, Rollback = null });
        }

        await SettleAsync(sandbox, intent, null, null, cancellationToken).ConfigureAwait(false);
    }

    private async Task EndProcessesAsync(Sandbox sandbox, CancellationToken cancellationToken)
    {
        var link = sandbox.Link;
        sandbox.Attach(null);
        if (link is { IsOver: false })
        {
            await link.ForceStopAsync(cancellationToken).ConfigureAwait(false);
        }

        await host.Remains.RemoveAsync(sandbox.Record.Id, link, link is null ? SupervisorRemains.NoPatience : SupervisorRemains.ForcedPatience).ConfigureAwait(false);
    }

    private async Task ExchangeAsync(IVolumeStore volumes, Sandbox sandbox, SnapshotRecord target, bool discardLater)
    {
        var record = sandbox.Record;

        // Seen through once begun: half of it is nothing anybody wants.
        await volumes.RollBackAsync(target.Volume, record.Id.Value, record.Resources.DiskBytes, CancellationToken.None).ConfigureAwait(false);
        sandbox.Tools.Forget();
        var generation = await volumes.GenerationAsync(VolumeKind.Sandbox, record.Id.Value, flush: false, CancellationToken.None).ConfigureAwait(false);
        var next = record with
        {
            State = SandboxState.Starting,
            Rollback = record.Rollback! with { Exchanged = true },
            Memory = null,
            Lineage = (record.Lineage ?? new Lineage()) with { Head = target.Id, CleanGeneration = generation, RolledBackUnixMs = host.Now },
        };
        IReadOnlyList<SnapshotRecord> doomed = discardLater ? Later(target) : [];
        var (moved, _) = store.Without(doomed, null);
        await store.ChangeAsync(sandbox, next, moved, doomed).ConfigureAwait(false);
    }

    private async Task SettleAsync(
        Sandbox sandbox, RollbackIntent intent, IReadOnlyList<InjectSecretPayload>? secrets, StartingSupervisor? supervisor, CancellationToken cancellationToken)
    {
        var record = sandbox.Record;
        var memory = intent.WithMemory ? host.Snapshots.Find(intent.Target)?.Memory : null;
        if (intent.Then == SandboxState.Stopped || intent.OnDisk)
        {
            sandbox.Publish(record with { State = intent.Then, OnDisk = intent.OnDisk, BootId = null, Rollback = null, Memory = memory ?? record.Memory });
            await host.Table.UpdateAsync(sandbox.Record).ConfigureAwait(false);
            SandboxTimers.Arm(host, sandbox);
            return;
        }

        try
        {
            await StartAsync(sandbox, memory, secrets, supervisor, cancellationToken).ConfigureAwait(false);
            if (intent.Then == SandboxState.Paused)
            {
                await sandbox.RequireLink("pausing").PauseAsync(cancellationToken).ConfigureAwait(false);
                sandbox.Publish(sandbox.Record with { State = SandboxState.Paused });
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            end.Record(sandbox, new ExitRecord { Phase = SupervisorPhase.Failed, Reason = (e as VivariumException)?.Reason ?? "start_failed", Message = e.Message, UnixMs = host.Now });
            throw;
        }

        host.Table.UpdateLazily(sandbox.Record);
        SandboxTimers.Arm(host, sandbox);
        host.Events.Publish(intent.Then == SandboxState.Paused ? "sandbox.paused" : "sandbox.running", sandbox.Record, "rolled_back");
    }

    private async Task StartAsync(
        Sandbox sandbox, MemoryImage? memory, IReadOnlyList<InjectSecretPayload>? secrets, StartingSupervisor? supervisor, CancellationToken cancellationToken)
    {
        var record = sandbox.Record;
        if (memory is null)
        {
            var any = await host.Engines.GetAsync(record.Runtime, record.Engine, cancellationToken).ConfigureAwait(false);
            await start.RunAsync(sandbox, any, secrets, progress: null, cancellationToken, prepared: supervisor).ConfigureAwait(false);
            return;
        }

        using var pin = host.Snapshots.Pin(memory.Key);
        var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        var engine = await memories.EngineAsync(volumes, memory, $"rolling back sandbox {record.Name}", FilesOnly, cancellationToken).ConfigureAwait(false);
        await start.RunAsync(sandbox, engine, secrets, progress: null, cancellationToken, restoreFrom: MemoryImages.PathOf(volumes, memory), prepared: supervisor).ConfigureAwait(false);
    }

    /// <summary>What comes from a snapshot, held ones aside.</summary>
    private SnapshotRecord[] Later(SnapshotRecord target)
    {
        var later = new HashSet<SnapshotId> { target.Id };
        SnapshotRecord[] own = [.. host.Snapshots.Of(target.Sandbox)];
        foreach (var record in own)
        {
            if (record.Parent is { } parent && later.Contains(parent))
            {
                later.Add(record.Id);
            }
        }

        return [.. own.Where(r => r.Id != target.Id && later.Contains(r.Id) && !r.Held)];
    }

    [LoggerMessage(EventId = 1821, Level = LogLevel.Error, Message = "rolling back sandbox {SandboxId} failed; its old data is whole and is started again")]
    private partial void LogFailed(Exception exception, string sandboxId);

    [LoggerMessage(EventId = 1822, Level = LogLevel.Warning, Message = "completed the rollback of sandbox {SandboxId} to {Snapshot} that the last daemon had begun")]
    private partial void LogCompleted(string sandboxId, string snapshot);
}
