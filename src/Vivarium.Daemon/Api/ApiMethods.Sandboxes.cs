using Vivarium.Host.Operations;
using Vivarium.Host.Sandboxes;
using Vivarium.Linux.Sockets;
using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Daemon.Api;

internal sealed partial class ApiMethods
{
    private SandboxWorkflows Workflows => host.Workflows;

    private SandboxAccess Access => host.Access;

    private void AddSandboxes(JsonRpcDispatcher dispatcher) => dispatcher
        .Method(HostMethod.Create, HostJson.Default.CreateParams, HostJson.Default.SandboxInfo, CreateAsync)
        .Method(HostMethod.BeginCreate, HostJson.Default.CreateParams, HostJson.Default.BeginReply, (p, call, _) => new(new BeginReply { OperationId = Workflows.Create.Begin(p, CallerPid(call)).Id }))
        .Method(HostMethod.List, HostJson.Default.ListParams, HostJson.Default.SandboxList, (p, _, _) => new(List(p)))
        .Method(HostMethod.Get, HostJson.Default.RefParams, HostJson.Default.SandboxInfo, (p, _, token) => GetAsync(p.Ref, token))
        .Method(HostMethod.Destroy, HostJson.Default.DestroyParams, HostJson.Default.Empty, async (p, _, token) =>
        {
            await Access.DestroyAsync(p, token).ConfigureAwait(false);
            return new Empty();
        })
        .Method(HostMethod.Prune, HostJson.Default.PruneParams, HostJson.Default.PruneReply, async (p, _, token) => await Access.PruneAsync(p, token).ConfigureAwait(false))
        .Method(HostMethod.Stop, HostJson.Default.StopSandboxParams, HostJson.Default.SandboxInfo, (p, call, token) => ChangeAsync(p.Ref, s => Workflows.Stop.StopAsync(s, p), token))
        .Method(HostMethod.Start, HostJson.Default.RefParams, HostJson.Default.SandboxInfo, (p, call, token) => ChangeAsync(p.Ref, Workflows.Stop.StartAsync, token))
        .Method(HostMethod.Restart, HostJson.Default.StopSandboxParams, HostJson.Default.SandboxInfo, (p, call, token) => ChangeAsync(p.Ref, s => Workflows.Stop.RestartAsync(s, p), token))
        .Method(HostMethod.Pause, HostJson.Default.PauseParams, HostJson.Default.SandboxInfo, (p, call, token) => ChangeAsync(p.Ref, s => Workflows.Pause.PauseAsync(s, p.Disk), token))
        .Method(HostMethod.Resume, HostJson.Default.RefParams, HostJson.Default.SandboxInfo, (p, call, token) => ChangeAsync(p.Ref, Workflows.Pause.ResumeAsync, token))
        .Method(HostMethod.SetTimeout, HostJson.Default.SetTimeoutParams, HostJson.Default.SandboxInfo, (p, call, token) => ChangeAsync(p.Ref, s => Access.SetTimeoutAsync(s, p), token))
        .Method(HostMethod.Set, HostJson.Default.SetParams, HostJson.Default.SetReply, (p, _, token) => SetAsync(p, token))
        .Method(HostMethod.SetNetwork, HostJson.Default.SetNetworkParams, HostJson.Default.SetNetworkReply, async (p, _, token) =>
        {
            var sandbox = await Access.GetAsync(p.Ref, token).ConfigureAwait(false);

            // As with every change: it goes on when the caller stops waiting.
            return await Workflows.SetNetwork.RunAsync(sandbox, p).WaitAsync(token).ConfigureAwait(false);
        })
        .Method(HostMethod.Stats, HostJson.Default.RefParams, HostJson.Default.SandboxUsage, async (p, _, token) =>
        {
            var (sandbox, link) = await Access.GetLiveAsync(p.Ref, "reading the usage of", token).ConfigureAwait(false);
            var usage = await link.StatsAsync(token).ConfigureAwait(false);

            // The supervisor knows the limits it began with; they may have been changed since.
            var limits = sandbox.Record.Resources;
            return link.Info.Capabilities.Limits ? usage with { MemoryLimitBytes = limits.MemoryBytes, PidsLimit = limits.Pids } : usage;
        })
        .Method(HostMethod.Ticket, HostJson.Default.SandboxTicketParams, HostJson.Default.SandboxTicket, async (p, _, token) =>
        {
            var (sandbox, link) = await Access.GetRunningAsync(p.Ref, "opening a stream to", token).ConfigureAwait(false);
            var ticket = await link.TicketAsync(p.Port, token).ConfigureAwait(false);
            return new SandboxTicket { SandboxId = sandbox.Record.Id.Value, Socket = link.Socket, Ticket = ticket.Ticket };
        });

    private async ValueTask<SandboxInfo> CreateAsync(CreateParams p, JsonRpcCall call, CancellationToken cancellationToken)
    {
        var operation = Workflows.Create.Begin(p, CallerPid(call));
        await WaitAsync(operation, call, cancellationToken).ConfigureAwait(false);
        var record = await operation.Result.ConfigureAwait(false);
        return host.Services.Catalog.Find(record.Id.Value) is { } sandbox ? SandboxView.Of(sandbox) : SandboxView.Of(record);
    }

    private static int CallerPid(JsonRpcCall call) => call.Connection.State is PeerCredentials peer ? peer.Pid : 0;

    private async ValueTask<SandboxInfo> GetAsync(string reference, CancellationToken cancellationToken)
    {
        var sandbox = host.Services.Catalog.Get(reference);
        var used = await Workflows.Set.DiskUsedAsync(sandbox.Record, cancellationToken).ConfigureAwait(false);
        return SandboxView.Of(sandbox) with { DiskUsedBytes = used };
    }

    private async ValueTask<SetReply> SetAsync(SetParams p, CancellationToken cancellationToken)
    {
        var sandbox = await Access.GetAsync(p.Ref, cancellationToken).ConfigureAwait(false);
        var (_, later) = await Workflows.Set.RunAsync(sandbox, p).WaitAsync(cancellationToken).ConfigureAwait(false);
        return new SetReply { Sandbox = SandboxView.Of(sandbox), AtNextStart = later.Count > 0 ? later : null };
    }

    private SandboxList List(ListParams p) => new()
    {
        Sandboxes = [.. host.Services.Catalog.All().Where(s => SandboxView.Fits(s.Record, p)).Select(SandboxView.Of)],
    };

    private async ValueTask<SandboxInfo> ChangeAsync(string reference, Func<Sandbox, Task<SandboxRecord>> change, CancellationToken cancellationToken)
    {
        var sandbox = await Access.GetAsync(reference, cancellationToken).ConfigureAwait(false);

        // The change goes on when the caller stops waiting: its lifetime is the sandbox's.
        await change(sandbox).WaitAsync(cancellationToken).ConfigureAwait(false);
        return SandboxView.Of(sandbox);
    }

    /// <summary>Waits for an operation and passes its progress on to the caller meanwhile.</summary>
    private static async Task WaitAsync(Operation operation, JsonRpcCall call, CancellationToken cancellationToken)
    {
        using (operation.Listen(e => call.Connection.TryNotify(HostMethod.ProgressNotification, e, HostJson.Default.OperationEvent)))
        {
            await operation.Ended.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
