using Microsoft.Extensions.Logging;
using Vivarium.Host.Naming;
using Vivarium.Host.Snapshots;
using Vivarium.Host.Supervision;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Volumes;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// Ends a sandbox for good. Answered when no process is left and the record is gone; what it held (cgroups, runtime directory, volume, logs) goes after that, in the
/// background: on disk it is an orphan by then, which the next start would remove as well.
/// </summary>
internal sealed partial class DestroySandbox(HostServices host)
{
    private static readonly TimeSpan GuestTime = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan KillTime = TimeSpan.FromSeconds(2);

    private readonly ILogger logger = host.Loggers.CreateLogger<DestroySandbox>();
    private readonly Lock gate = new();
    private readonly HashSet<Task> unfinished = [];

    /// <summary>Completes when nothing is left of what has been destroyed so far.</summary>
    public Task FinishedAsync()
    {
        lock (gate)
        {
            return Task.WhenAll(unfinished);
        }
    }

    /// <summary>Runs under the sandbox's gate; may be repeated after a failure.</summary>
    public async Task RunAsync(Sandbox sandbox, DestroyMode mode)
    {
        var link = sandbox.Link;
        var kills = mode == DestroyMode.Now && sandbox.Record is { State: SandboxState.Running, Runtime: "container" or "gvisor" } && link is { IsOver: false };
        sandbox.Attach(null);
        var record = sandbox.Record with { State = SandboxState.Destroying };
        sandbox.Publish(record);
        host.Alarms.Clear(SandboxTimers.TimeoutKey(record.Id));
        host.Alarms.Clear(SandboxTimers.IdleKey(record.Id));
        host.Alarms.Clear(SandboxTimers.OwnerKey(record.Id));

        if (kills && await KillAsync(record).ConfigureAwait(false))
        {
            await EndAsync(sandbox, record).ConfigureAwait(false);
            InBackground(async () =>
            {
                // Nothing runs in it any more that could send.
                await host.Networks.CloseAsync(record).ConfigureAwait(false);
                await FinishAsync(record.Id, link!).ConfigureAwait(false);
            });
            return;
        }

        // The intent is on disk before the volume goes; killing need not wait for it: a crash in between finds a sandbox without a supervisor.
        var intent = host.Table.UpdateAsync(record);
        if (link is { IsOver: false })
        {
            await AskToEndAsync(link, mode).ConfigureAwait(false);
        }

        await host.Remains.RemoveAsync(record.Id, link, mode == DestroyMode.Now ? SupervisorRemains.ForcedPatience : SupervisorRemains.OrderlyPatience).ConfigureAwait(false);
        await intent.ConfigureAwait(false);
        await host.Networks.CloseAsync(record).ConfigureAwait(false);
        await host.Table.DeleteAsync(record).ConfigureAwait(false);
        await EndAsync(sandbox, record).ConfigureAwait(false);
        InBackground(() => DeleteDataAsync(record.Id));
    }

    /// <summary>Removes its snapshots, except held ones, and lets go of what a fork began from. What fails is tried again later.</summary>
    public async Task ForgetSnapshotsAsync(SandboxRecord record)
    {
        var store = new SnapshotStore(host);
        try
        {
            await store.ForgetAsync(record.Id).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogDeleteFailed(e, record.Id.Value);
            host.Leftovers.Add("snapshots of sandbox", record.Id.Value, e, () => store.ForgetAsync(record.Id));
        }

        if (record.Memory is { } memory)
        {
            await store.ReleaseAsync(memory.Key).ConfigureAwait(false);
        }

        if (record.Lineage is { OriginIsSnapshot: true, OriginVolume: { } origin })
        {
            await store.ReleaseAsync(origin).ConfigureAwait(false);
        }
    }

    /// <summary>Deletes volume and logs. What fails is an orphan by then: it is tried again later, and after a crash by the next start.</summary>
    public Task DeleteDataAsync(SandboxId id) => OrLaterAsync("data of sandbox", id, DeleteNowAsync(id), () => DeleteNowAsync(id));

    private async Task DeleteNowAsync(SandboxId id)
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

    private async Task OrLaterAsync(string what, SandboxId id, Task removal, Func<Task> again)
    {
        try
        {
            await removal.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogDeleteFailed(e, id.Value);
            host.Leftovers.Add(what, id.Value, e, again);
        }
    }

    private async Task EndAsync(Sandbox sandbox, SandboxRecord record)
    {
        host.Catalog.Remove(sandbox);
        await ForgetSnapshotsAsync(record).ConfigureAwait(false);
        sandbox.Publish(record with { State = SandboxState.Gone });
        host.Events.Publish("sandbox.destroyed", record, sandbox.Explanation?.Reason ?? "requested", sandbox.Explanation?.Message);
    }

    /// <summary>
    /// Kills what runs in the sandbox's cgroup, and forgets the record meanwhile: a crash in between leaves an orphan. False when it is not certain that nothing is left;
    /// then the supervisor is asked.
    /// </summary>
    private async Task<bool> KillAsync(SandboxRecord record)
    {
        var cgroup = new SandboxCgroup(host.Config.Runtime.CgroupRoot.TrimEnd('/') + "/" + record.Id.Value);
        var forgotten = host.Table.DeleteAsync(record);
        var dead = cgroup.Processes().Count > 0 && await cgroup.KillAsync(KillTime, CancellationToken.None).ConfigureAwait(false); // its deadline bounds it
        await forgotten.ConfigureAwait(false);
        return dead;
    }

    /// <summary>The supervisor, whose sandbox has died, releases what it held; then its remains and the data go.</summary>
    private async Task FinishAsync(SandboxId id, SupervisorLink link)
    {
        var removal = host.Remains.RemoveAsync(id, link, SupervisorRemains.ForcedPatience);
        await OrLaterAsync("remains of sandbox", id, removal, () => host.Remains.RemoveAsync(id, null, SupervisorRemains.NoPatience)).ConfigureAwait(false);
        await DeleteDataAsync(id).ConfigureAwait(false);
    }

    private void InBackground(Func<Task> work)
    {
        lock (gate)
        {
            var task = Task.Run(work);
            unfinished.Add(task);
            _ = task.ContinueWith(Forget, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default); // bookkeeping must happen
        }
    }

    private void Forget(Task task)
    {
        lock (gate)
        {
            unfinished.Remove(task);
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

    [LoggerMessage(EventId = 1311, Level = LogLevel.Warning, Message = "deleting what destroyed sandbox {SandboxId} had failed; it is tried again until it is gone")]
    private partial void LogDeleteFailed(Exception exception, string sandboxId);
}
