using Microsoft.Extensions.Logging;
using Vivarium.Host.Naming;
using Vivarium.Host.Snapshots;
using Vivarium.Host.Supervision;
using Vivarium.Volumes;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>Ends a sandbox for good. Answered when no process is left and the record is gone; its volume and logs are deleted after that, in the background.</summary>
internal sealed partial class DestroySandbox(HostServices host)
{
    private static readonly TimeSpan GuestTime = TimeSpan.FromSeconds(10);

    private readonly ILogger logger = host.Loggers.CreateLogger<DestroySandbox>();

    /// <summary>Runs under the sandbox's gate; may be repeated after a failure.</summary>
    public async Task RunAsync(Sandbox sandbox, DestroyMode mode)
    {
        var link = sandbox.Link;
        sandbox.Attach(null);
        var record = sandbox.Record with { State = SandboxState.Destroying };
        sandbox.Publish(record);
        host.Alarms.Clear(SandboxTimers.TimeoutKey(record.Id));
        host.Alarms.Clear(SandboxTimers.IdleKey(record.Id));
        host.Alarms.Clear(SandboxTimers.OwnerKey(record.Id));

        // The intent is on disk before the volume goes; killing need not wait for it: a crash in between finds a sandbox without a supervisor.
        var intent = host.Table.UpdateAsync(record);
        if (link is { IsOver: false })
        {
            await AskToEndAsync(link, mode).ConfigureAwait(false);
        }

        await host.Remains.RemoveAsync(record.Id, link, mode == DestroyMode.Now ? SupervisorRemains.ForcedPatience : SupervisorRemains.OrderlyPatience).ConfigureAwait(false);
        await intent.ConfigureAwait(false);
        await host.Table.DeleteAsync(record).ConfigureAwait(false);
        host.Catalog.Remove(sandbox);
        await ForgetSnapshotsAsync(record).ConfigureAwait(false);
        sandbox.Publish(record with { State = SandboxState.Gone });
        host.Events.Publish("sandbox.destroyed", record, sandbox.Explanation?.Reason ?? "requested", sandbox.Explanation?.Message);
        _ = Task.Run(() => DeleteDataAsync(record.Id));
    }

    /// <summary>Removes its snapshots, except held ones, and lets go of what a fork began from.</summary>
    public async Task ForgetSnapshotsAsync(SandboxRecord record)
    {
        var store = new SnapshotStore(host);
        await store.ForgetAsync(record.Id).ConfigureAwait(false);
        if (record.Lineage is { OriginIsSnapshot: true, OriginVolume: { } origin })
        {
            await store.ReleaseAsync(origin).ConfigureAwait(false);
        }
    }

    /// <summary>Deletes volume and logs. A failure (or a crash) leaves an orphan that the next start removes.</summary>
    public async Task DeleteDataAsync(SandboxId id)
    {
        try
        {
            var logs = host.Paths.SandboxState(id);
            if (Directory.Exists(logs))
            {
                Directory.Delete(logs, recursive: true);
            }

            // Not tied to any request: the sandbox is gone for its caller already.
            var volumes = await host.Pool.GetAsync(CancellationToken.None).ConfigureAwait(false);
            await volumes.DeleteAsync(VolumeKind.Sandbox, id.Value, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogDeleteFailed(e, id.Value);
        }
    }

    private async Task AskToEndAsync(SupervisorLink link, DestroyMode mode)
    {
        using var patience = new CancellationTokenSource(GuestTime + GuestTime, host.Time);
        if (mode == DestroyMode.Now)
        {
            await link.ForceStopAsync(patience.Token).ConfigureAwait(false);
            return;
        }

        await link.StopAsync(new StopParams { DeadlineMs = (long)GuestTime.TotalMilliseconds, Reason = "destroyed" }, patience.Token).ConfigureAwait(false);
    }

    [LoggerMessage(EventId = 1311, Level = LogLevel.Warning, Message = "deleting the data of destroyed sandbox {SandboxId} failed; the next start tries again")]
    private partial void LogDeleteFailed(Exception exception, string sandboxId);
}
