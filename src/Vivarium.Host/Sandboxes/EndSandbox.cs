using Microsoft.Extensions.Logging;
using Vivarium.Host.Supervision;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>What happens when a supervisor is over: its end is proved, its last word read, what it held is released, the state recorded.</summary>
internal sealed partial class EndSandbox(HostServices host)
{
    private readonly ILogger logger = host.Loggers.CreateLogger<EndSandbox>();

    /// <summary>Records an end nobody asked for. Never throws: a sandbox whose end cannot be cleaned up is failed, and says so.</summary>
    public async Task CollectAsync(Sandbox sandbox, CancellationToken cancellationToken)
    {
        var link = sandbox.Link;
        sandbox.Attach(null);
        var before = sandbox.Record;
        var last = link?.Status;
        sandbox.Publish(before with { State = SandboxState.Stopping, Reason = last?.Reason, Message = last?.Message });
        ExitRecord exit;
        try
        {
            exit = await host.Remains.RemoveAsync(before.Id, link, SupervisorRemains.OrderlyPatience).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogReleaseFailed(e, before.Id.Value);
            host.Leftovers.Add("remains of sandbox", before.Id.Value, e, () => ReleaseAsync(sandbox));
            exit = new ExitRecord { Phase = SupervisorPhase.Failed, Reason = "release_failed", Message = e.Message, UnixMs = host.Now };
        }

        cancellationToken.ThrowIfCancellationRequested();
        Record(sandbox, exit);
    }

    /// <summary>Tries again to release what an ended sandbox held; one that was started again, or is gone, has seen to it itself.</summary>
    private async Task ReleaseAsync(Sandbox sandbox)
    {
        try
        {
            await sandbox.PerformAsync(GateRules.Release, _ => host.Remains.RemoveAsync(sandbox.Record.Id, null, SupervisorRemains.NoPatience)).ConfigureAwait(false);
        }
        catch (VivariumException e) when (e.Code == ErrorCode.FailedPrecondition && e.Reason != "operation_in_progress")
        {
        }
    }

    /// <summary>Publishes and stores the state an exit record means, with its event.</summary>
    public void Record(Sandbox sandbox, ExitRecord exit)
    {
        var stopped = exit.Phase == SupervisorPhase.Stopped;
        var next = sandbox.Record with
        {
            State = stopped ? SandboxState.Stopped : SandboxState.Failed,
            Reason = exit.Reason,
            Message = exit.Message,
            EndedUnixMs = host.Now,
            OnDisk = false,
            Memory = null,
            BootId = null,
        };
        var memory = sandbox.Record.Memory;
        sandbox.Publish(next);
        host.Table.UpdateLazily(next);
        _ = new Snapshots.MemoryImages(host).ReleaseAsync(memory);
        host.Events.Publish(stopped ? "sandbox.stopped" : "sandbox.failed", next, exit.Reason, exit.Message);
        SandboxTimers.Arm(host, sandbox);
    }

    [LoggerMessage(EventId = 1301, Level = LogLevel.Error, Message = "releasing what the supervisor of sandbox {SandboxId} held failed")]
    private partial void LogReleaseFailed(Exception exception, string sandboxId);
}
