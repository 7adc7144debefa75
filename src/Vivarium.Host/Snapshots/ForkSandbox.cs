using Vivarium.Host.Engines;
using Vivarium.Host.Naming;
using Vivarium.Host.Operations;
using Vivarium.Host.Sandboxes;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Snapshots;

/// <summary>
/// Makes sandboxes from another's data: from a snapshot, or from one instant of a sandbox as it is, which goes on undisturbed. Each fork has an id, name, host name, machine id
/// and randomness of its own and none of the source's secrets. All are made or none.
/// </summary>
internal sealed class ForkSandbox(HostServices host, SnapshotStore store, TakeSnapshot take, SandboxWorkflows workflows)
{
    private const int Most = 100;
    private const int AtOnce = 8;
    private const string FilesOnly = "With --no-memory the forks begin with its files alone.";

    private readonly MemoryImages memories = new(host);

    /// <summary>Checks the request and starts the work.</summary>
    public Operation<IReadOnlyList<SandboxRecord>> Begin(ForkParams p, CreateParams sample)
    {
        var count = p.Count ?? 1;
        if (count is < 1 or > Most)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"forking: {count} forks are out of range", $"Make 1 to {Most} at once.", "bad_count");
        }

        // The same checks as for a new sandbox; what it says of template and limits is replaced by the source's.
        var defaults = CreateRequest.Check(sample, host.Config, host.Time);
        if (count > 1 && p.Name is not null)
        {
            NameRules.CheckName($"{p.Name}-{count}");
        }

        return host.Operations.Begin(HostMethod.Fork, (operation, token) => RunAsync(p, count, defaults, operation, token));
    }

    private async Task<IReadOnlyList<SandboxRecord>> RunAsync(ForkParams p, int count, SandboxRecord defaults, Operation operation, CancellationToken cancellationToken)
    {
        var (source, owner) = await SourceAsync(p, cancellationToken).ConfigureAwait(false);
        var like = source?.Source ?? owner!.Record;
        var what = $"forking {(source is null ? $"sandbox {like.Name}" : $"snapshot {source.Name} of sandbox {like.Name}")}";
        var volumes = await store.RequireAsync(what, cancellationToken).ConfigureAwait(false);
        await store.RequireRoomAsync(volumes, what, cancellationToken).ConfigureAwait(false);
        if (p.Memory == true && source is { Memory: null })
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"{what} with memory: it has none", "Leave --memory out.", "no_memory");
        }

        var memory = p.Memory == false ? null : source is not null ? source.Memory : p.Memory == true ? await memories.PlanAsync(owner!, what, cancellationToken).ConfigureAwait(false) : null;
        var origin = source?.Volume ?? SnapshotId.New().Value;
        using var pin = host.Snapshots.Pin(origin);
        using var memoryPin = memory is null ? null : host.Snapshots.Pin(memory.Key);
        try
        {
            if (owner is not null)
            {
                operation.Report("snapshot", null, $"one instant of {like.Name}");
                await owner.PerformAsync(GateRules.Fork, async token =>
                {
                    (_, memory) = await take.CopyAsync(volumes, owner, origin, memory, token).ConfigureAwait(false);
                    return true;
                }).ConfigureAwait(false);
            }
            else if (!volumes.Exists(VolumeKind.Snapshot, origin))
            {
                throw new VivariumException(ErrorCode.NotFound, $"{what}: its data is no longer there", "'viv snapshots' lists those there are.", "volume_not_found");
            }

            var engine = memory is null
                ? await host.Engines.GetAsync(like.Runtime, like.Engine, cancellationToken).ConfigureAwait(false)
                : await memories.EngineAsync(volumes, memory, what, FilesOnly, cancellationToken).ConfigureAwait(false);
            var from = new ForkOrigin(origin, memory is null ? null : MemoryImages.PathOf(volumes, memory), engine);
            return await MakeAllAsync(p, count, defaults, like, from, operation, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            pin.Dispose();
            memoryPin?.Dispose();
            _ = store.ReleaseAsync(origin);
            _ = memories.ReleaseAsync(memory);
        }
    }

    private async Task<(SnapshotRecord? Snapshot, Sandbox? Sandbox)> SourceAsync(ForkParams p, CancellationToken cancellationToken)
    {
        if (p.Snapshot is not null)
        {
            return (workflows.Snapshots.Find(p.Ref, p.Snapshot), null);
        }

        if (!p.Ref.Contains('@', StringComparison.Ordinal) && host.Catalog.Find(p.Ref) is { } sandbox)
        {
            await sandbox.Settled.WaitAsync(cancellationToken).ConfigureAwait(false);
            return (null, sandbox);
        }

        if (host.Snapshots.TryResolve(p.Ref) is { } snapshot)
        {
            return (snapshot, null);
        }

        throw new VivariumException(
            ErrorCode.NotFound, $"forking: there is no sandbox and no snapshot {NameRules.Quote(p.Ref)}", "Give a sandbox, SANDBOX@SNAPSHOT, or the id of a snapshot.", "no_such_sandbox");
    }

    private async Task<IReadOnlyList<SandboxRecord>> MakeAllAsync(
        ForkParams p, int count, SandboxRecord defaults, SandboxRecord like, ForkOrigin from, Operation operation, CancellationToken cancellationToken)
    {
        var made = new List<Sandbox>();
        using var entrance = new SemaphoreSlim(AtOnce);
        var ready = 0;
        try
        {
            for (var i = 0; i < count; i++)
            {
                var name = p.Name is null ? null : count == 1 ? p.Name : $"{p.Name}-{i + 1}";
                made.Add(host.Catalog.Add(name, null, host.Config.Limits.MaxSandboxes, (chosen, slot) => workflows.Make(Like(like, defaults, p, chosen, slot, from.Volume))));
            }

            if (count == 1)
            {
                operation.Concerns(made[0].Record.Id.Value);
            }

            await Task.WhenAll(made.Select(async fork =>
            {
                await entrance.WaitAsync(cancellationToken).ConfigureAwait(false);
                try
                {
                    await using var cancel = cancellationToken.Register(() => _ = fork.DestroyAsync(DestroyMode.Now)).ConfigureAwait(false);
                    await fork.PerformAsync(GateRules.Create, token => MakeAsync(fork, from, p.Secrets, token)).ConfigureAwait(false);
                    operation.Report("fork", Interlocked.Increment(ref ready) / (double)count, $"{fork.Record.Name} runs");
                }
                finally
                {
                    entrance.Release();
                }
            })).ConfigureAwait(false);
            return [.. made.Select(static fork => fork.Record)];
        }
        catch
        {
            await Task.WhenAll(made.Select(static fork => fork.DestroyAsync(DestroyMode.Now))).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }

    private async Task<SandboxRecord> MakeAsync(Sandbox fork, ForkOrigin from, IReadOnlyList<InjectSecretPayload>? secrets, CancellationToken cancellationToken)
    {
        try
        {
            var record = fork.Record;
            await using var supervisor = host.Launcher.Prepare(record.Id);
            var intent = host.Table.InsertAsync(record);
            var clone = CloneAsync(record, from.Volume, cancellationToken);
            await Task.WhenAll(intent, clone).ConfigureAwait(false);
            fork.Publish(record with { Lineage = record.Lineage! with { OriginGeneration = await clone.ConfigureAwait(false) } });
            host.Events.Publish("sandbox.created", record, "forked");
            await workflows.Start.RunAsync(fork, from.Engine, secrets, null, cancellationToken, Guid.NewGuid().ToString("N"), from.Memory, supervisor).ConfigureAwait(false);
            fork.Publish(fork.Record with { AwaitsSecrets = false });
            await host.Table.UpdateAsync(fork.Record).ConfigureAwait(false);
            SandboxTimers.Arm(host, fork);
            host.Events.Publish("sandbox.running", fork.Record, "forked");
            return fork.Record;
        }
        catch (Exception e)
        {
            await workflows.Create.UndoAsync(fork).ConfigureAwait(false);
            if (cancellationToken.IsCancellationRequested)
            {
                throw new VivariumException(ErrorCode.Canceled, $"forking into sandbox {fork.Record.Name}: it was destroyed meanwhile", null, "destroyed", e);
            }

            throw;
        }
    }

    private async Task<long> CloneAsync(SandboxRecord record, string origin, CancellationToken cancellationToken)
    {
        var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        await volumes.CloneAsync(VolumeKind.Snapshot, origin, VolumeKind.Sandbox, record.Id.Value, cancellationToken).ConfigureAwait(false);
        if (record.Resources.DiskBytes is { } disk)
        {
            await volumes.SetQuotaAsync(VolumeKind.Sandbox, record.Id.Value, disk, cancellationToken).ConfigureAwait(false);
        }

        return await volumes.GenerationAsync(VolumeKind.Sandbox, record.Id.Value, flush: false, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The source's settings with an identity, a time and a life of its own.</summary>
    private SandboxRecord Like(SandboxRecord like, SandboxRecord defaults, ForkParams p, string name, int slot, string origin)
    {
        var timeout = p.TimeoutMs is null ? like.TimeoutMs : defaults.TimeoutMs;
        Dictionary<string, string> labels = new(like.Labels ?? new Dictionary<string, string>(), StringComparer.Ordinal);
        foreach (var (key, value) in p.Labels ?? new Dictionary<string, string>())
        {
            labels[key] = value;
        }

        return host.Networks.Reserve(like with
        {
            Id = SandboxId.New(),
            Name = name,
            ExternalId = null,
            State = SandboxState.Creating,
            Reason = null,
            Message = null,
            Hostname = null,
            Owner = null,
            Labels = labels.Count == 0 ? null : labels,

            // The source's host ports are taken: each fork gets free ones.
            Ports = like.Ports is null ? null : [.. like.Ports.Select(static port => port with { HostPort = 0 })],
            IdSlot = slot,
            CreatedUnixMs = host.Now,
            StartedUnixMs = null,
            EndedUnixMs = null,
            TimeoutMs = timeout,
            ExpiresUnixMs = timeout is null ? null : host.Now + timeout,
            AwaitsSecrets = p.Secrets is { Count: > 0 },
            BootId = null,
            Rollback = null,
            OnDisk = false,
            Memory = null,
            Lineage = new Lineage { OriginVolume = origin, OriginIsSnapshot = true, ForkedFrom = like.Id },
        });
    }

    /// <summary>What all forks of a batch begin with.</summary>
    private sealed record ForkOrigin(string Volume, string? Memory, EngineChoice Engine);
}
