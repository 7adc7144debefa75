using Vivarium.Volumes;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// Freezes a sandbox's processes in memory and thaws them; or, to disk, gives the memory back: with an engine that can, processes and memory are saved and brought back by a resume, with others
/// the processes end and a resume starts anew from the files. Either way nothing written before is lost when the machine goes.
/// </summary>
internal sealed class PauseSandbox(HostServices host, StopSandbox stop, SaveSandbox save)
{
    /// <summary>Pauses; back to running when that fails.</summary>
    public Task<SandboxRecord> PauseAsync(Sandbox sandbox, bool disk = false, string? reason = null, string? message = null) => sandbox.PerformAsync(GateRules.Pause, async token =>
    {
        var before = sandbox.Record;
        var link = sandbox.RequireLink("pausing");
        sandbox.Publish(before with { State = SandboxState.Pausing });
        using var door = await DrainAsync(sandbox, before, token).ConfigureAwait(false);
        Snapshots.MemoryImage? memory = null;
        if (disk && Snapshots.MemoryImages.CanSave(link))
        {
            memory = await save.ToDiskAsync(sandbox, before with { State = SandboxState.Paused, OnDisk = true, Reason = reason, Message = message }, before, token).ConfigureAwait(false);
        }
        else if (disk)
        {
            // The intent first: a daemon that dies while the processes end finds a sandbox that is paused, not one that failed.
            await host.Table.UpdateAsync(before with { State = SandboxState.Paused, OnDisk = true, Reason = reason, Message = message }).ConfigureAwait(false);
            try
            {
                await stop.ToDiskAsync(sandbox, token).ConfigureAwait(false);
            }
            catch when (!link.IsOver && !token.IsCancellationRequested)
            {
                sandbox.Attach(link);
                sandbox.Publish(before);
                await host.Table.UpdateAsync(before).ConfigureAwait(false);
                throw;
            }
        }
        else
        {
            try
            {
                await link.PauseAsync(token).ConfigureAwait(false);
            }
            catch
            {
                sandbox.Publish(before);
                throw;
            }
        }

        // A paused sandbox uses no time: its limit counts anew when it is resumed.
        var paused = before with
        {
            State = SandboxState.Paused,
            OnDisk = disk,
            Memory = memory,
            BootId = disk ? null : before.BootId,
            Reason = reason,
            Message = message,
            ExpiresUnixMs = reason is null ? before.ExpiresUnixMs : null,
        };
        await host.Table.UpdateAsync(paused).ConfigureAwait(false);
        sandbox.Publish(paused);
        SandboxTimers.Arm(host, sandbox);
        host.Events.Publish("sandbox.paused", paused, reason, message);
        if (!disk)
        {
            _ = FlushAsync(sandbox);
        }

        return paused;
    });

    /// <summary>Thaws, brings processes and memory back, or starts anew from the files; back to paused when that fails.</summary>
    public Task<SandboxRecord> ResumeAsync(Sandbox sandbox) => sandbox.PerformAsync(GateRules.Resume, async token =>
    {
        var before = sandbox.Record;
        sandbox.Publish(before with { State = SandboxState.Resuming });
        try
        {
            if (before is { OnDisk: true, Memory: not null } && await save.FromDiskAsync(sandbox, token).ConfigureAwait(false))
            {
                // As it was.
            }
            else if (before.OnDisk)
            {
                await stop.FromDiskAsync(sandbox, token).ConfigureAwait(false);
            }
            else
            {
                await sandbox.RequireLink("resuming").ResumeAsync(token).ConfigureAwait(false);
            }
        }
        catch
        {
            sandbox.Publish(before with { Memory = sandbox.Record.Memory });
            throw;
        }

        var running = sandbox.Record with
        {
            State = SandboxState.Running,
            OnDisk = false,
            Memory = null,
            Reason = null,
            Message = null,
            ExpiresUnixMs = before.ExpiresUnixMs ?? (before.TimeoutMs is { } life ? host.Now + life : null),
        };
        sandbox.Publish(running);
        await host.Table.UpdateAsync(running).ConfigureAwait(false);
        SandboxTimers.Arm(host, sandbox);
        _ = new Snapshots.MemoryImages(host).ReleaseAsync(before.Memory);
        host.Events.Publish("sandbox.running", running, "resumed");
        return running;
    });

    /// <summary>From now on no tool begins, and those that run may end; they are waited for.</summary>
    private async Task<IDisposable> DrainAsync(Sandbox sandbox, SandboxRecord before, CancellationToken cancellationToken)
    {
        try
        {
            return await sandbox.Tools.DrainAsync($"pausing sandbox {before.Name}", host.Config.Tools.PauseDrain, host.Time, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            sandbox.Publish(before);
            throw;
        }
    }

    /// <summary>Frozen may be for long: what it wrote goes to disk now. A pool that cannot shows it in its health.</summary>
    private async Task FlushAsync(Sandbox sandbox)
    {
        try
        {
            var volumes = await host.Pool.GetAsync(CancellationToken.None).ConfigureAwait(false);
            await volumes.GenerationAsync(VolumeKind.Sandbox, sandbox.Record.Id.Value, flush: true, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Wire.Errors.VivariumException)
        {
            // It has been destroyed meanwhile, or the pool is sick.
        }
    }
}
