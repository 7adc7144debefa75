using Microsoft.Extensions.Logging;
using Vivarium.Host.Snapshots;
using Vivarium.Host.Supervision;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>Saves a sandbox with its processes and memory, ends it, and brings it back. All of it runs under the sandbox's gate.</summary>
/// <remarks>
/// Saved memory fits the volume as it was when the processes ended, so the two are made a pair by the supervisor's last word, and taken for one only once:
/// <code>
///   record says         and the supervisor                   then the sandbox is
///   paused, image       runs (not saved, or brought back)    running; the image is void
///   paused, image       ended with paused_to_disk            paused with memory; the image is made whole if it is not yet
///   paused, image       ended otherwise                      paused with its files alone
///   paused, used        ended                                paused with memory if its files are as they were, else with its files alone
/// </code>
/// A daemon that dies anywhere leaves one of these to the next.
/// </remarks>
internal sealed partial class SaveSandbox(HostServices host, StartSandbox start, EndSandbox end)
{
    private const string BeginAnew = "viv stop and viv start begin anew from its files.";

    private readonly ILogger logger = host.Loggers.CreateLogger<SaveSandbox>();
    private readonly MemoryImages memories = new(host);

    /// <summary>Saves and ends it. It goes on running when it cannot be saved.</summary>
    /// <param name="sandbox">The sandbox.</param>
    /// <param name="paused">The record it is to have.</param>
    /// <param name="before">The record it has.</param>
    /// <param name="cancellationToken">A destroy that does not wait.</param>
    public async Task<MemoryImage> ToDiskAsync(Sandbox sandbox, SandboxRecord paused, SandboxRecord before, CancellationToken cancellationToken)
    {
        var what = $"pausing sandbox {before.Name}";
        var link = sandbox.RequireLink("pausing");
        MemoryImage? image = null;
        IVolumeStore? volumes = null;
        try
        {
            image = await memories.PlanAsync(sandbox, what, cancellationToken).ConfigureAwait(false);
            volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
            await new SnapshotStore(host).RequireRoomAsync(volumes, what, cancellationToken).ConfigureAwait(false);
            var directory = await volumes.CreateAsync(VolumeKind.Snapshot, image.Key, cancellationToken).ConfigureAwait(false);
            await host.Table.UpdateAsync(paused with { Memory = image }).ConfigureAwait(false);
            await link.CheckpointAsync(new CheckpointParams { Directory = directory }, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!link.IsOver && !cancellationToken.IsCancellationRequested)
        {
            sandbox.Publish(before);
            await host.Table.UpdateAsync(before).ConfigureAwait(false);
            if (volumes is not null && image is not null)
            {
                await volumes.AbandonAsync(VolumeKind.Snapshot, image.Key, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            throw e is VivariumException { Reason: "memory_not_saved" } refused
                ? new VivariumException(refused.Code, $"{what} to disk: {refused.Message}", "It goes on running. viv pause without --disk freezes it in memory; viv stop keeps its files.", refused.Reason, e)
                : e;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && image is not null && volumes is not null)
        {
            // Its supervisor ended meanwhile; its last word says whether it had been saved.
            LogLost(e, before.Id.Value);
        }

        sandbox.Attach(null);
        var exit = await host.Remains.RemoveAsync(before.Id, link, SupervisorRemains.OrderlyPatience).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        if (exit.Reason == CheckpointParams.PausedToDisk)
        {
            return await MemoryImages.CommitAsync(volumes!, image!).ConfigureAwait(false);
        }

        end.Record(sandbox, exit);
        throw new VivariumException(ErrorCode.FailedPrecondition, $"{what}: it ended while it was being saved: {exit.Message ?? exit.Reason}", "Its files are whole: viv start.", exit.Reason);
    }

    /// <summary>Brings processes and memory back; false when they fit no more, and only the files can be started from. It stays paused when it fails.</summary>
    public async Task<bool> FromDiskAsync(Sandbox sandbox, CancellationToken cancellationToken)
    {
        var record = sandbox.Record;
        var image = record.Memory!;
        var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        var generation = await volumes.GenerationAsync(VolumeKind.Sandbox, record.Id.Value, flush: true, cancellationToken).ConfigureAwait(false);
        if (!image.Fits(generation))
        {
            return false;
        }

        using var pin = host.Snapshots.Pin(image.Key);
        var engine = await memories.EngineAsync(volumes, image, $"resuming sandbox {record.Name}", BeginAnew, cancellationToken).ConfigureAwait(false);
        await host.Remains.RemoveAsync(record.Id, null, SupervisorRemains.NoPatience).ConfigureAwait(false);
        await MarkAsync(sandbox, image with { UsedAt = generation }).ConfigureAwait(false);
        try
        {
            await start.RunAsync(sandbox, engine, secrets: null, progress: null, cancellationToken, restoreFrom: MemoryImages.PathOf(volumes, image)).ConfigureAwait(false);
            return true;
        }
        catch when (!cancellationToken.IsCancellationRequested)
        {
            await UnmarkAsync(sandbox, volumes, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>What became of a sandbox that the last daemon was pausing to disk, had paused or was resuming; true when it runs.</summary>
    public async Task<bool> SettleAsync(Sandbox sandbox, CancellationToken cancellationToken)
    {
        var record = sandbox.Record;
        var image = record.Memory!;
        var files = host.Paths.Supervisor(record.Id);
        if (SupervisorRemains.IsAlive(files) && await RunsAsync(files, cancellationToken).ConfigureAwait(false))
        {
            sandbox.Publish(record with { OnDisk = false, Memory = null, Reason = null, Message = null });
            return true;
        }

        var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        var exit = Directory.Exists(files.Directory) ? await host.Remains.RemoveAsync(record.Id, null, SupervisorRemains.OrderlyPatience).ConfigureAwait(false) : null;
        if (volumes.Exists(VolumeKind.Snapshot, image.Key) && await UnmarkAsync(sandbox, volumes, cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        if (exit?.Reason == CheckpointParams.PausedToDisk && image.UsedAt is null)
        {
            sandbox.Publish(record with { Memory = await MemoryImages.CommitAsync(volumes, image).ConfigureAwait(false), BootId = null });
        }
        else
        {
            LogFilesOnly(record.Id.Value);
            sandbox.Publish(record with { Memory = null, BootId = null, Message = "its memory was lost when the machine or its supervisor went; its files are kept, its processes start anew" });
        }

        await host.Table.UpdateAsync(sandbox.Record).ConfigureAwait(false);
        return false;
    }

    private static async Task<bool> RunsAsync(SupervisorLink link, CancellationToken cancellationToken)
    {
        try
        {
            var status = await link.WaitAsync(
                static s => s.Phase is SupervisorPhase.Running or SupervisorPhase.Paused or SupervisorPhase.Stopped or SupervisorPhase.Failed, StartSandbox.RestoreTime, cancellationToken).ConfigureAwait(false);
            return status.Phase is SupervisorPhase.Running or SupervisorPhase.Paused;
        }
        catch (VivariumException e) when (e.Code == ErrorCode.Unavailable)
        {
            return false;
        }
    }

    private async Task<bool> RunsAsync(SupervisorFiles files, CancellationToken cancellationToken)
    {
        try
        {
            await using var link = await SupervisorLink.OpenAsync(files.Socket, host.Time, cancellationToken).ConfigureAwait(false);
            return await RunsAsync(link, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or VivariumException { Code: ErrorCode.Unavailable })
        {
            return false; // it is ending
        }
    }

    /// <summary>Nothing ran when nothing has changed: then it can be tried again.</summary>
    private async Task<bool> UnmarkAsync(Sandbox sandbox, IVolumeStore volumes, CancellationToken cancellationToken)
    {
        var image = sandbox.Record.Memory!;
        if (image.UsedAt is null)
        {
            return true;
        }

        var generation = await volumes.GenerationAsync(VolumeKind.Sandbox, sandbox.Record.Id.Value, flush: true, cancellationToken).ConfigureAwait(false);
        if (!image.Fits(generation))
        {
            return false;
        }

        await MarkAsync(sandbox, image with { UsedAt = null }).ConfigureAwait(false);
        return true;
    }

    private async Task MarkAsync(Sandbox sandbox, MemoryImage image)
    {
        sandbox.Publish(sandbox.Record with { Memory = image });

        // What is stored is what the next daemon goes by: paused, and whether the memory may have been used.
        await host.Table.UpdateAsync(sandbox.Record with { State = SandboxState.Paused }).ConfigureAwait(false);
    }

    [LoggerMessage(EventId = 1331, Level = LogLevel.Warning, Message = "sandbox {SandboxId} ended while it was being saved")]
    private partial void LogLost(Exception exception, string sandboxId);

    [LoggerMessage(EventId = 1332, Level = LogLevel.Warning, Message = "sandbox {SandboxId} was to be paused to disk with its memory; only its files are left")]
    private partial void LogFilesOnly(string sandboxId);
}
