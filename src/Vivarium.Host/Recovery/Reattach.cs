using Microsoft.Extensions.Logging;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Supervision;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Recovery;

/// <summary>
/// A new daemon finds out what became of each sandbox the old one knew. The record says what was intended; whether a supervisor lives says its lock file;
/// what it is doing it says itself.
/// </summary>
/// <remarks>
/// <code>
///   record       supervisor lives                              supervisor dead
///   creating     finished: attached as running (1)             undone: nothing is left
///   destroying   destroyed                                     destroyed
///   stopping     waited for, then stopped                      stopped
///   stopped,     ended (it should not be there)                as it was
///   failed
///   rolling back completed either way: the sandbox comes back as it was to be
///   paused       attached                                       paused on disk when the machine was restarted, else as below
///   on disk,     see SaveSandbox
///   with memory
///   others       attached: running or paused as it says        stopped or failed, as its last word says
/// </code>
/// (1) unless secrets were still to be handed in; those are gone with the old daemon.
/// </remarks>
internal sealed partial class Reattach(HostServices host, SandboxWorkflows workflows)
{
    private readonly ILogger logger = host.Loggers.CreateLogger<Reattach>();

    /// <summary>Settles one sandbox. Does not throw.</summary>
    public async Task RunAsync(Sandbox sandbox)
    {
        try
        {
            if (sandbox.Record.State == SandboxState.Destroying)
            {
                await sandbox.DestroyAsync(DestroyMode.Now).ConfigureAwait(false);
                return;
            }

            await sandbox.PerformAsync(GateRules.Reattach, token => SettleAsync(sandbox, token)).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogFailed(e, sandbox.Record.Id.Value);
        }
    }

    private async Task<bool> SettleAsync(Sandbox sandbox, CancellationToken cancellationToken)
    {
        var record = sandbox.Record;
        var files = host.Paths.Supervisor(record.Id);
        try
        {
            if (record.Rollback is { Exchanged: true, Then: SandboxState.Running } && SupervisorRemains.IsAlive(files))
            {
                sandbox.Publish(record with { Rollback = null });
                await AttachAsync(sandbox, files, cancellationToken).ConfigureAwait(false);
            }
            else if (record.Rollback is not null)
            {
                await workflows.RollBack.CompleteAsync(sandbox, cancellationToken).ConfigureAwait(false);
            }
            else if (record is { State: SandboxState.Paused, OnDisk: true, Memory: not null })
            {
                if (await workflows.Save.SettleAsync(sandbox, cancellationToken).ConfigureAwait(false))
                {
                    await AttachAsync(sandbox, files, cancellationToken).ConfigureAwait(false);
                    await host.Table.UpdateAsync(sandbox.Record).ConfigureAwait(false);
                }
            }
            else if (SandboxStates.HasEnded(record.State) || (record.OnDisk && record.State == SandboxState.Paused))
            {
                if (Directory.Exists(files.Directory))
                {
                    await host.Remains.RemoveAsync(record.Id, null, SupervisorRemains.NoPatience).ConfigureAwait(false);
                }
            }
            else if (!SupervisorRemains.IsAlive(files) || record.AwaitsSecrets)
            {
                await SettleDeadAsync(sandbox).ConfigureAwait(false);
            }
            else
            {
                await AttachAsync(sandbox, files, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            LogFailed(e, record.Id.Value);
            workflows.End.Record(sandbox, new ExitRecord
            {
                Phase = SupervisorPhase.Failed,
                Reason = (e as VivariumException)?.Reason ?? "reattach_failed",
                Message = e.Message,
                UnixMs = host.Now,
            });
        }

        SandboxTimers.Arm(host, sandbox);
        return true;
    }

    private async Task SettleDeadAsync(Sandbox sandbox)
    {
        var record = sandbox.Record;
        if (record.State == SandboxState.Creating)
        {
            LogUndone(record.Id.Value);
            await workflows.Create.UndoAsync(sandbox).ConfigureAwait(false);
            return;
        }

        var exit = await host.Remains.RemoveAsync(record.Id, null, SupervisorRemains.NoPatience).ConfigureAwait(false);
        LogDead(record.Id.Value, exit.Reason);
        if (record.State == SandboxState.Paused && exit.Reason == "host_restarted")
        {
            // Frozen processes end with the machine; that it is paused, and its files, do not.
            sandbox.Publish(record with { OnDisk = true, BootId = null, Reason = record.Reason ?? "host_restarted", Message = "the machine was restarted: its files are kept, its processes start anew" });
            await host.Table.UpdateAsync(sandbox.Record).ConfigureAwait(false);
            return;
        }

        workflows.End.Record(sandbox, record.State == SandboxState.Stopping ? exit with { Phase = SupervisorPhase.Stopped, Reason = "requested", Message = null } : exit);
    }

    private async Task AttachAsync(Sandbox sandbox, SupervisorFiles files, CancellationToken cancellationToken)
    {
        var record = sandbox.Record;
        var link = await SupervisorLink.OpenAsync(files.Socket, host.Time, cancellationToken).ConfigureAwait(false);
        if (link.Incompatible is { } why && record.State != SandboxState.Stopping && !link.IsOver)
        {
            sandbox.Publish(record with { State = record.State == SandboxState.Paused ? SandboxState.Paused : SandboxState.Running, Reason = SupervisorProtocols.Reason, Message = why });
            sandbox.Attach(link);
            LogIncompatible(record.Id.Value, why);
            return;
        }

        var status = record.State == SandboxState.Stopping || link.IsOver
            ? link.Status
            : await link.WaitAsync(
                static s => s.Phase is SupervisorPhase.Running or SupervisorPhase.Paused or SupervisorPhase.Stopping or SupervisorPhase.Stopped or SupervisorPhase.Failed,
                StartSandbox.BootTime,
                cancellationToken).ConfigureAwait(false);
        if (status.Phase is not (SupervisorPhase.Running or SupervisorPhase.Paused) || record.State == SandboxState.Stopping)
        {
            if (!link.IsOver)
            {
                await link.ForceStopAsync(cancellationToken).ConfigureAwait(false);
            }

            await host.Remains.RemoveAsync(record.Id, link, SupervisorRemains.OrderlyPatience).ConfigureAwait(false);
            workflows.End.Record(sandbox, new ExitRecord { Phase = SupervisorPhase.Stopped, Reason = status.Reason ?? "requested", UnixMs = host.Now });
            return;
        }

        var next = record with
        {
            State = status.Phase == SupervisorPhase.Paused ? SandboxState.Paused : SandboxState.Running,
            Reason = status.Phase == SupervisorPhase.Paused ? record.Reason : null,
            Message = status.Phase == SupervisorPhase.Paused ? record.Message : null,
            BootId = status.BootId,
            StartedUnixMs = record.StartedUnixMs ?? host.Now,
            Ports = await PortsAsync(link, record, cancellationToken).ConfigureAwait(false),
        };
        sandbox.Publish(next);
        sandbox.Attach(link);
        LogAttached(record.Id.Value, status.Phase, link.Info.Pid);
        if (next != record)
        {
            host.Table.UpdateLazily(next);
        }
    }

    /// <summary>What the supervisor publishes counts: the old daemon may have died between a change there and its record. One of an older version cannot say.</summary>
    private static async Task<IReadOnlyList<PublishedPort>?> PortsAsync(SupervisorLink link, SandboxRecord record, CancellationToken cancellationToken)
    {
        try
        {
            var ports = (await link.PortsAsync(cancellationToken).ConfigureAwait(false)).Ports;
            return ports.Count == 0 ? null : ports.SequenceEqual(record.Ports ?? []) ? record.Ports : ports;
        }
        catch (VivariumException e) when (e.Code == ErrorCode.Unimplemented)
        {
            return record.Ports;
        }
    }

    [LoggerMessage(EventId = 1601, Level = LogLevel.Information, Message = "re-attached sandbox {SandboxId}: {Phase}, supervisor {Pid}")]
    private partial void LogAttached(string sandboxId, string phase, int pid);

    [LoggerMessage(EventId = 1605, Level = LogLevel.Warning, Message = "sandbox {SandboxId} goes on running, but: {Why}")]
    private partial void LogIncompatible(string sandboxId, string why);

    [LoggerMessage(EventId = 1602, Level = LogLevel.Warning, Message = "sandbox {SandboxId} ended while no daemon watched: {Reason}")]
    private partial void LogDead(string sandboxId, string reason);

    [LoggerMessage(EventId = 1603, Level = LogLevel.Warning, Message = "undoing the half-made sandbox {SandboxId}")]
    private partial void LogUndone(string sandboxId);

    [LoggerMessage(EventId = 1604, Level = LogLevel.Error, Message = "re-attaching sandbox {SandboxId} failed")]
    private partial void LogFailed(Exception exception, string sandboxId);
}
