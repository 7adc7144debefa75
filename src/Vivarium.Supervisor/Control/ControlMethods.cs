using Vivarium.Supervisor.Lifecycle;
using Vivarium.Supervisor.Streams;
using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor.Control;

/// <summary>The control methods.</summary>
internal static class ControlMethods
{
    private static readonly TimeSpan DefaultStopDeadline = TimeSpan.FromSeconds(10);
    private static readonly Empty Done = new();

    public static JsonRpcDispatcher Build(SupervisedSandbox sandbox)
    {
        var json = SupervisorJson.Default;
        return new JsonRpcDispatcher()
            .Method(SupervisorMethod.Status, json.Empty, json.SupervisorStatus, (_, _, _) => new ValueTask<SupervisorStatus>(sandbox.Board.Now))
            .Method(SupervisorMethod.Info, json.Empty, json.SupervisorInfo, (_, _, _) => new ValueTask<SupervisorInfo>(sandbox.Info))
            .Method(SupervisorMethod.Stop, json.StopParams, json.Empty, (stop, _, cancellation) => Acknowledge(sandbox.StopAsync(Deadline(stop), stop.Reason, cancellation)))
            .Method(SupervisorMethod.ForceStop, json.StopParams, json.Empty, (_, _, cancellation) => Acknowledge(sandbox.ForceStopAsync(cancellation)))
            .Method(SupervisorMethod.Pause, json.Empty, json.Empty, (_, _, cancellation) => Acknowledge(sandbox.Pausing.PauseAsync(cancellation)))
            .Method(SupervisorMethod.Resume, json.Empty, json.Empty, (_, _, cancellation) => Acknowledge(sandbox.Pausing.ResumeAsync(cancellation)))
            .Method(SupervisorMethod.Freeze, json.FreezeParams, json.Empty, (how, call, cancellation) =>
                Acknowledge(sandbox.Stillness.BeginAsync(how, call.Connection.Ended, cancellation)))
            .Method(SupervisorMethod.Thaw, json.Empty, json.ThawReply, async (_, _, _) => await sandbox.Stillness.EndAsync().ConfigureAwait(false))
            .Method(SupervisorMethod.Checkpoint, json.CheckpointParams, json.Empty, (where, _, cancellation) => Acknowledge(sandbox.PauseToDiskAsync(where.Directory, cancellation)))
            .Method(SupervisorMethod.Ticket, json.TicketParams, json.TicketReply, (ticket, _, _) => new ValueTask<TicketReply>(
                new TicketReply { Ticket = sandbox.Tickets.Issue(ticket.Port, ticket.TtlMs is { } life ? TimeSpan.FromMilliseconds(life) : TicketOffice.DefaultLife) }))
            .Method(SupervisorMethod.Stats, json.Empty, json.SandboxUsage, (_, _, cancellation) => new ValueTask<SandboxUsage>(sandbox.StatsAsync(cancellation)))
            .Method(SupervisorMethod.Launch, json.LaunchParams, json.LaunchReply, async (launch, _, cancellation) =>
                new LaunchReply { Pid = await sandbox.LaunchAsync(launch.Request, cancellation).ConfigureAwait(false) })
            .Method(SupervisorMethod.Processes, json.Empty, json.ProcessesPayload, (_, _, cancellation) =>
                new ValueTask<ProcessesPayload>(sandbox.Control("list the processes").GetProcessesAsync(null, cancellation)))
            .Method(SupervisorMethod.KillProcess, json.KillProcessPayload, json.Empty, (kill, _, cancellation) =>
                Acknowledge(sandbox.Control("signal a process").KillProcessAsync(kill, null, cancellation)))
            .Method(SupervisorMethod.Secrets, json.SecretsParams, json.Empty, (secrets, _, cancellation) => Acknowledge(HandOverAsync(sandbox, secrets, cancellation)))
            .Method(SupervisorMethod.Publish, json.PublishedPort, json.PublishedPort, (port, _, _) => new ValueTask<PublishedPort>(sandbox.Ports.Publish(port)))
            .Method(SupervisorMethod.Unpublish, json.PublishedPort, json.Empty, (port, _, _) => Acknowledge(sandbox.Ports.UnpublishAsync(port)))
            .Method(SupervisorMethod.Ports, json.Empty, json.PublishedPortsReply, (_, _, _) => new ValueTask<PublishedPortsReply>(new PublishedPortsReply { Ports = sandbox.Ports.All }))
            .Method(SupervisorMethod.Listeners, json.Empty, json.ListenersPayload, (_, _, cancellation) =>
                new ValueTask<ListenersPayload>(sandbox.Control("list the listeners").GetListenersAsync(null, cancellation)))
            .Method(SupervisorMethod.Adopt, json.AdoptParams, json.Empty, (adopt, _, cancellation) => Acknowledge(sandbox.AdoptAsync(adopt, cancellation)))
            .Method(SupervisorMethod.Events, json.Empty, json.SupervisorStatus, (_, call, _) =>
            {
                Subscribe(sandbox, call.Connection);
                return new ValueTask<SupervisorStatus>(sandbox.Board.Now);
            });
    }

    private static async ValueTask<Empty> Acknowledge(Task task)
    {
        await task.ConfigureAwait(false);
        return Done;
    }

    private static async Task HandOverAsync(SupervisedSandbox sandbox, SecretsParams secrets, CancellationToken cancellationToken)
    {
        var control = sandbox.Control("hand over secrets");
        foreach (var secret in secrets.Secrets)
        {
            await control.InjectSecretAsync(secret, null, cancellationToken).ConfigureAwait(false);
        }
    }

    private static void Subscribe(SupervisedSandbox sandbox, JsonRpcConnection connection)
    {
        (connection.State as IDisposable)?.Dispose();
        connection.State = sandbox.Board.Subscribe(change =>
        {
            // A subscriber that does not read is cut off rather than waited for.
            if (!connection.TryNotify(SupervisorMethod.EventNotification, change, SupervisorJson.Default.SupervisorEvent))
            {
                _ = connection.DisposeAsync().AsTask();
            }
        });
    }

    private static TimeSpan Deadline(StopParams stop) => stop.DeadlineMs switch
    {
        null => DefaultStopDeadline,
        >= 0 and <= 3_600_000 => TimeSpan.FromMilliseconds(stop.DeadlineMs.Value),
        _ => throw new VivariumException(ErrorCode.InvalidArgument, $"cannot stop within {stop.DeadlineMs} ms: allowed are 0 to 3600000"),
    };
}
