using Vivarium.Host.Supervision;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>Ends the processes and keeps the volume; starts it again from there.</summary>
internal sealed class StopSandbox(HostServices host, StartSandbox start, EndSandbox end)
{
    private static readonly TimeSpan DiskTime = TimeSpan.FromSeconds(10);

    /// <summary>Stops in order or at once.</summary>
    public Task<SandboxRecord> StopAsync(Sandbox sandbox, StopSandboxParams how) => sandbox.PerformAsync(GateRules.Stop, async token =>
    {
        await HaltAsync(sandbox, how, token).ConfigureAwait(false);
        return sandbox.Record;
    });

    /// <summary>Starts a stopped or failed one.</summary>
    public Task<SandboxRecord> StartAsync(Sandbox sandbox) => sandbox.PerformAsync(GateRules.Start, async token =>
    {
        await BootAsync(sandbox, token).ConfigureAwait(false);
        return sandbox.Record;
    });

    /// <summary>Stops when it runs, and starts.</summary>
    public Task<SandboxRecord> RestartAsync(Sandbox sandbox, StopSandboxParams how) => sandbox.PerformAsync(GateRules.Restart, async token =>
    {
        if (!SandboxStates.HasEnded(sandbox.Record.State))
        {
            await HaltAsync(sandbox, how, token).ConfigureAwait(false);
        }

        await BootAsync(sandbox, token).ConfigureAwait(false);
        return sandbox.Record;
    });

    /// <summary>Ends the processes of a sandbox that stays paused with its files alone; runs under the gate.</summary>
    public async Task ToDiskAsync(Sandbox sandbox, CancellationToken cancellationToken)
    {
        var deadline = DiskTime;
        var link = sandbox.RequireLink("pausing");
        await link.StopAsync(new StopParams { DeadlineMs = (long)deadline.TotalMilliseconds, Reason = "paused" }, cancellationToken).ConfigureAwait(false);
        sandbox.Attach(null);
        await host.Remains.RemoveAsync(sandbox.Record.Id, link, deadline + SupervisorRemains.ForcedPatience).ConfigureAwait(false);
        var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        await volumes.GenerationAsync(Volumes.VolumeKind.Sandbox, sandbox.Record.Id.Value, flush: true, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Starts the processes of a sandbox that was paused to disk; runs under the gate. It stays paused when that fails.</summary>
    public async Task FromDiskAsync(Sandbox sandbox, CancellationToken cancellationToken)
    {
        var record = sandbox.Record;
        var engine = await host.Engines.GetAsync(record.Runtime, record.Engine, cancellationToken).ConfigureAwait(false);
        await host.Remains.RemoveAsync(record.Id, null, SupervisorRemains.NoPatience).ConfigureAwait(false);
        await start.RunAsync(sandbox, engine, secrets: null, progress: null, cancellationToken).ConfigureAwait(false);
    }

    private async Task HaltAsync(Sandbox sandbox, StopSandboxParams how, CancellationToken cancellationToken)
    {
        if (sandbox.Record is { State: SandboxState.Paused, OnDisk: true })
        {
            end.Record(sandbox, new ExitRecord { Phase = SupervisorPhase.Stopped, Reason = how.Force ? "forced" : "requested", UnixMs = host.Now });
            return;
        }

        var deadline = TimeSpan.FromMilliseconds(Math.Clamp(how.DeadlineMs ?? 10_000, 0, 600_000));
        var link = sandbox.RequireLink("stopping");
        if (!how.Force)
        {
            link.RequireCompatible();
        }

        sandbox.Publish(sandbox.Record with { State = SandboxState.Stopping, Reason = null, Message = null });
        await host.Table.UpdateAsync(sandbox.Record).ConfigureAwait(false);
        if (how.Force)
        {
            await link.ForceStopAsync(cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await link.StopAsync(new StopParams { DeadlineMs = (long)deadline.TotalMilliseconds, Reason = "requested" }, cancellationToken).ConfigureAwait(false);
        }

        // From here on the supervisor is on its way out whoever waits: the end is collected in any case.
        sandbox.Attach(null);
        var exit = await host.Remains.RemoveAsync(sandbox.Record.Id, link, deadline + SupervisorRemains.ForcedPatience).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        end.Record(sandbox, exit.Reason == "supervisor_died" || exit.Phase == SupervisorPhase.Stopped ? exit with { Phase = SupervisorPhase.Stopped, Reason = how.Force ? "forced" : "requested", Message = null } : exit);
    }

    private async Task BootAsync(Sandbox sandbox, CancellationToken cancellationToken)
    {
        var before = sandbox.Record;
        var engine = await host.Engines.GetAsync(before.Runtime, before.Engine, cancellationToken).ConfigureAwait(false);
        sandbox.Publish(before with { State = SandboxState.Starting, Reason = null, Message = null });
        await host.Table.UpdateAsync(sandbox.Record).ConfigureAwait(false);
        try
        {
            // Whatever an earlier run left in the runtime directory would be in the way.
            await host.Remains.RemoveAsync(before.Id, null, SupervisorRemains.NoPatience).ConfigureAwait(false);
            await start.RunAsync(sandbox, engine, secrets: null, progress: null, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            var why = e as Wire.Errors.VivariumException;
            end.Record(sandbox, new ExitRecord { Phase = SupervisorPhase.Failed, Reason = why?.Reason ?? "start_failed", Message = e.Message, UnixMs = host.Now });
            throw;
        }

        host.Table.UpdateLazily(sandbox.Record);
        SandboxTimers.Arm(host, sandbox);
        host.Events.Publish("sandbox.running", sandbox.Record, "started");
    }
}
