using Microsoft.Extensions.Logging;
using Vivarium.Host.Warm;
using Vivarium.Linux.Namespaces;
using Vivarium.Volumes;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// From a sandbox made ahead to the one a create asked for: name, host name, environment, user, quota, secrets, then the record, which is written once and as
/// running: until then a crash leaves an orphan, and the caller has heard of nothing.
/// </summary>
internal sealed partial class AdoptSandbox(HostServices host, SandboxWorkflows workflows)
{
    private readonly ILogger logger = host.Loggers.CreateLogger<AdoptSandbox>();

    /// <summary>Does it under the sandbox's gate; false when it did not work, with nothing left of what was made ahead: then the sandbox starts cold, with the same id.</summary>
    public async Task<bool> TryAsync(Sandbox sandbox, WarmSandbox warm, IReadOnlyList<InjectSecretPayload>? secrets, CancellationToken cancellationToken)
    {
        var record = sandbox.Record;
        var hostname = record.Hostname ?? record.Name;
        if (!Fits(warm, record, hostname))
        {
            await workflows.Warm.DiscardAsync(warm).ConfigureAwait(false);
            return false;
        }

        // From here on whatever undoes the create undoes this one too.
        workflows.Warm.Give(warm);
        sandbox.Attach(warm.Link);
        var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        await workflows.Create.RequireRoomAsync(record, volumes, cancellationToken).ConfigureAwait(false);
        try
        {
            await ConfigureAsync(warm, record, hostname, volumes, secrets, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever is wrong with it, a cold start does not share.
            LogFailed(e, record.Id.Value);
            sandbox.Attach(null);
            await workflows.Warm.DiscardAsync(warm).ConfigureAwait(false);
            return false;
        }

        var running = record with { Lineage = warm.Record.Lineage, State = SandboxState.Running, StartedUnixMs = host.Now, BootId = warm.Link.Status.BootId, AwaitsSecrets = false };
        await host.Table.InsertAsync(running).ConfigureAwait(false);
        sandbox.Publish(running);
        SandboxTimers.Arm(host, sandbox);
        host.Events.Publish("sandbox.created", record);
        host.Events.Publish("sandbox.running", running, "created");
        return true;
    }

    private static bool Fits(WarmSandbox warm, SandboxRecord record, string hostname) =>
        !warm.Link.IsOver
        && warm.Record.Engine == record.Engine
        && warm.Record.TemplateDigest == record.TemplateDigest
        && (warm.CanBeRenamed || hostname == warm.Record.Name);

    private static async Task ConfigureAsync(
        WarmSandbox warm, SandboxRecord record, string hostname, IVolumeStore volumes, IReadOnlyList<InjectSecretPayload>? secrets, CancellationToken cancellationToken)
    {
        if (record.Resources.DiskBytes is { } disk)
        {
            await volumes.SetQuotaAsync(VolumeKind.Sandbox, record.Id.Value, disk, cancellationToken).ConfigureAwait(false);
        }

        if (hostname != warm.Record.Name)
        {
            HostName.Set(warm.EnginePid, hostname);
        }

        await warm.Link.AdoptAsync(
            new AdoptParams { Name = record.Name, Hostname = hostname, Env = record.Env, DefaultUser = record.User, DefaultCwd = record.Workdir }, cancellationToken).ConfigureAwait(false);
        if (secrets is { Count: > 0 })
        {
            await warm.Link.SecretsAsync(new SecretsParams { Secrets = secrets }, cancellationToken).ConfigureAwait(false);
        }
    }

    [LoggerMessage(EventId = 1331, Level = LogLevel.Warning, Message = "the sandbox {SandboxId}, made ahead of need, could not be configured; it starts cold")]
    private partial void LogFailed(Exception exception, string sandboxId);
}
