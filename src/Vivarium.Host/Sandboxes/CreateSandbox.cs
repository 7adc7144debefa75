using Microsoft.Extensions.Logging;
using Vivarium.Host.Engines;
using Vivarium.Host.Operations;
using Vivarium.Host.Snapshots;
using Vivarium.Host.Supervision;
using Vivarium.Host.Templates;
using Vivarium.Host.Warm;
using Vivarium.Linux;
using Vivarium.Linux.Processes;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// Makes a sandbox: template, record and volume, supervisor, running. The name is taken at the beginning; a failure (or a cancellation, or a destroy meanwhile)
/// undoes everything and frees it, so that a failed create leaves nothing.
/// </summary>
internal sealed partial class CreateSandbox(HostServices host, SandboxWorkflows workflows)
{
    private readonly ILogger logger = host.Loggers.CreateLogger<CreateSandbox>();
    private readonly AdoptSandbox adopt = new(host, workflows);

    /// <summary>Checks the request, takes the name and starts the work.</summary>
    /// <exception cref="VivariumException">What is wrong with the request; nothing has been made then.</exception>
    public Operation<SandboxRecord> Begin(CreateParams parameters, int callerPid)
    {
        var wanted = CreateRequest.Check(parameters, host.Config, host.Time) with { Owner = Owner(parameters, callerPid) };
        ShareRules.RefuseOwn(wanted.Shares, host.Paths.State, host.Paths.Runtime);
        RequirePolicy(wanted);
        var warm = workflows.Warm.TryTake(wanted);
        Sandbox sandbox;
        try
        {
            wanted = wanted with { Id = warm?.Record.Id ?? wanted.Id };
            sandbox = host.Catalog.Add(
                parameters.Name,
                parameters.ExternalId,
                host.Config.Limits.MaxSandboxes,
                (name, slot) => workflows.Make(host.Networks.Reserve(wanted with { Name = name, IdSlot = slot })),
                warm?.Record);
        }
        catch when (warm is not null)
        {
            workflows.Warm.GiveBack(warm);
            throw;
        }

        workflows.Warm.HandOver(warm);
        return host.Operations.Begin(HostMethod.Create, async (operation, token) =>
        {
            operation.Concerns(wanted.Id.Value);

            // Cancelling the operation destroys the sandbox: one way out for both.
            await using var cancel = token.Register(() => _ = sandbox.DestroyAsync(DestroyMode.Now)).ConfigureAwait(false);
            try
            {
                var made = await sandbox.PerformAsync(GateRules.Create, stop => MakeAsync(sandbox, warm, parameters.Secrets, operation, stop)).ConfigureAwait(false);
                workflows.Warm.Used(wanted);
                return made;
            }
            catch (VivariumException e) when (e.Reason == "destroying")
            {
                // Its name was known before the work began, and a destroy was quicker: the same end as one that cuts the work short.
                throw new VivariumException(ErrorCode.Canceled, $"creating sandbox {sandbox.Record.Name}: it was destroyed meanwhile", null, "destroyed", e);
            }
        });
    }

    private static ProcessIdentity? Owner(CreateParams parameters, int callerPid)
    {
        try
        {
            return parameters.EndWithCaller == true && callerPid > 0 ? ProcessIdentity.Of(callerPid) : null;
        }
        catch (LinuxException e)
        {
            throw new VivariumException(ErrorCode.Canceled, "creating a sandbox: the program it is for has ended already", null, "owner_ended", e);
        }
    }

    private async Task<SandboxRecord> MakeAsync(
        Sandbox sandbox, WarmSandbox? warm, IReadOnlyList<InjectSecretPayload>? secrets, Operation operation, CancellationToken cancellationToken)
    {
        try
        {
            var engine = await ChooseEngineAsync(sandbox.Record, cancellationToken).ConfigureAwait(false);
            operation.Report("template", null, $"template {sandbox.Record.Template}");
            var template = await host.Templates.ResolveAsync(sandbox.Record.Template, operation, cancellationToken).ConfigureAwait(false);
            var record = sandbox.Record with
            {
                Runtime = engine.Runtime,
                Engine = engine.Engine,
                Isolated = engine.Isolated,
                TemplateDigest = template.Digest,
                User = sandbox.Record.User ?? template.User,
                Workdir = sandbox.Record.Workdir ?? template.Workdir,
                AwaitsSecrets = secrets is { Count: > 0 },
                Env = StartSandbox.Merge(template.Env, sandbox.Record.Env),
            };
            sandbox.Publish(record);
            if (warm is not null && await adopt.TryAsync(sandbox, warm, secrets, cancellationToken).ConfigureAwait(false))
            {
                return sandbox.Record;
            }

            operation.Report("volume", null, "cloning the template");
            await using var supervisor = host.Launcher.Prepare(record.Id);

            // Side by side: a volume without a record is an orphan the next start removes, a record without a volume a create it undoes.
            var intent = host.Table.InsertAsync(record);
            var clone = CloneAsync(record, template, cancellationToken);
            var network = OpenNetworkAsync(record, intent, cancellationToken);
            await Task.WhenAll(intent, clone, network).ConfigureAwait(false);
            sandbox.Publish(record with { Lineage = new Lineage { OriginVolume = template.VolumeKey, OriginGeneration = await clone.ConfigureAwait(false) } });
            host.Events.Publish("sandbox.created", record);
            await workflows.Start.RunAsync(sandbox, engine, secrets, operation, cancellationToken, prepared: supervisor).ConfigureAwait(false);

            // On disk before the caller hears of it: from here on a sandbox that dies is a failed one, not a half-made one that is undone.
            sandbox.Publish(sandbox.Record with { AwaitsSecrets = false });
            await host.Table.UpdateAsync(sandbox.Record).ConfigureAwait(false);
            SandboxTimers.Arm(host, sandbox);
            host.Events.Publish("sandbox.running", sandbox.Record, "created");
            return sandbox.Record;
        }
        catch (Exception e)
        {
            await UndoAsync(sandbox).ConfigureAwait(false);
            if (cancellationToken.IsCancellationRequested)
            {
                throw new VivariumException(ErrorCode.Canceled, $"creating sandbox {sandbox.Record.Name}: it was destroyed meanwhile", null, "destroyed", e);
            }

            throw;
        }
    }

    /// <summary>crun (1.8, measured) binds a share into a user namespace without the mounts below it, runc with them: where there are shares, runc is taken if it works.</summary>
    private async Task<EngineChoice> ChooseEngineAsync(SandboxRecord record, CancellationToken cancellationToken)
    {
        var engine = await host.Engines.ChooseAsync(record.Runtime, cancellationToken).ConfigureAwait(false);
        return engine.Engine == "crun" && record.Shares is { Count: > 0 } ? await host.Engines.GetAsync(engine.Runtime, "runc", cancellationToken).ConfigureAwait(false) : engine;
    }

    private void RequirePolicy(SandboxRecord wanted)
    {
        if (wanted.Policy is null)
        {
            return;
        }

        if (wanted.Network != "nat")
        {
            throw new VivariumException(
                ErrorCode.InvalidArgument, $"creating a sandbox: network {wanted.Network} has no policy to enforce", "Use --net nat with it, or leave it out.", "policy_without_network");
        }

        host.Networks.Check(wanted.Policy);
    }

    private async Task OpenNetworkAsync(SandboxRecord record, Task intent, CancellationToken cancellationToken)
    {
        // The record is the list of addresses and rules that are held: on disk before the first of them is made.
        await intent.ConfigureAwait(false);
        await host.Networks.OpenAsync(record, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes the volume, unless the pool has no room; returns its generation.</summary>
    public async Task<long> CloneAsync(SandboxRecord record, ResolvedTemplate template, CancellationToken cancellationToken)
    {
        var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        await RequireRoomAsync(record, volumes, cancellationToken).ConfigureAwait(false);
        await volumes.CloneAsync(VolumeKind.Template, template.VolumeKey, VolumeKind.Sandbox, record.Id.Value, cancellationToken).ConfigureAwait(false);
        if (record.Resources.DiskBytes is { } disk)
        {
            await volumes.SetQuotaAsync(VolumeKind.Sandbox, record.Id.Value, disk, cancellationToken).ConfigureAwait(false);
        }

        return await volumes.GenerationAsync(VolumeKind.Sandbox, record.Id.Value, flush: false, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Refuses a new sandbox while the pool is full or unusable.</summary>
    public async Task RequireRoomAsync(SandboxRecord record, IVolumeStore volumes, CancellationToken cancellationToken)
    {
        var health = await host.Pool.CheckAsync(volumes, cancellationToken).ConfigureAwait(false);
        if (health.State is PoolState.Critical or PoolState.Unusable)
        {
            throw new VivariumException(
                health.State == PoolState.Critical ? ErrorCode.ResourceExhausted : ErrorCode.Unavailable,
                $"creating sandbox {record.Name}: {health.Message}",
                "Remove sandboxes or templates, or make the pool larger.",
                health.State == PoolState.Critical ? "pool_full" : "pool_unusable");
        }
    }

    /// <summary>Removes every trace, whatever was made; the sandbox is gone then. What cannot be undone now stays listed as <c>destroying</c>, with name and address, until it can.</summary>
    public async Task UndoAsync(Sandbox sandbox)
    {
        var record = sandbox.Record;
        var link = sandbox.Link;
        sandbox.Attach(null);
        try
        {
            await host.Remains.RemoveAsync(record.Id, link, SupervisorRemains.NoPatience).ConfigureAwait(false);
            await host.Networks.CloseAsync(record).ConfigureAwait(false);
            if (host.Table.Contains(record.Id))
            {
                await host.Table.DeleteAsync(record).ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            LogUndoFailed(e, record.Id.Value);
            sandbox.Publish(record with { State = SandboxState.Destroying });
            workflows.DestroyLater(sandbox, e);
            return;
        }

        await workflows.Destroy.DeleteDataAsync(record.Id).ConfigureAwait(false);
        host.Catalog.Remove(sandbox);
        await workflows.Destroy.ForgetSnapshotsAsync(record).ConfigureAwait(false);
        sandbox.Publish(record with { State = SandboxState.Gone });
        host.Events.Publish("sandbox.destroyed", record, "create_failed");
    }

    [LoggerMessage(EventId = 1321, Level = LogLevel.Error, Message = "undoing the creation of sandbox {SandboxId} failed; it is tried again until nothing is left")]
    private partial void LogUndoFailed(Exception exception, string sandboxId);
}
