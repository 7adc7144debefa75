using Vivarium.Host.Snapshots;
using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Daemon.Api;

internal sealed partial class ApiMethods
{
    private void AddSnapshots(JsonRpcDispatcher dispatcher) => dispatcher
        .Method(HostMethod.SnapshotCreate, HostJson.Default.SnapshotParams, HostJson.Default.SnapshotInfo, (p, _, token) => TakeAsync(p.Ref, s => Workflows.Snapshot.NamedAsync(s, p), token))
        .Method(HostMethod.TurnComplete, HostJson.Default.TurnParams, HostJson.Default.SnapshotInfo, (p, _, token) => TakeAsync(p.Ref, s => Workflows.Snapshot.TurnAsync(s, p), token))
        .Method(HostMethod.SnapshotList, HostJson.Default.SnapshotListParams, HostJson.Default.SnapshotList, (p, _, _) => new(Workflows.Snapshots.List(p)))
        .Method(HostMethod.SnapshotGet, HostJson.Default.SnapshotRefParams, HostJson.Default.SnapshotInfo, (p, _, _) => new(Workflows.Snapshots.View(Workflows.Snapshots.Find(p.Ref, p.Snapshot))))
        .Method(HostMethod.SnapshotRename, HostJson.Default.RenameSnapshotParams, HostJson.Default.SnapshotInfo, async (p, _, token) =>
            Workflows.Snapshots.View(await Workflows.Snapshots.RenameAsync(p).WaitAsync(token).ConfigureAwait(false)))
        .Method(HostMethod.SnapshotHold, HostJson.Default.HoldSnapshotParams, HostJson.Default.SnapshotInfo, async (p, _, token) =>
            Workflows.Snapshots.View(await Workflows.Snapshots.HoldAsync(p).WaitAsync(token).ConfigureAwait(false)))
        .Method(HostMethod.SnapshotDelete, HostJson.Default.SnapshotRefParams, HostJson.Default.Empty, async (p, _, token) =>
        {
            await Workflows.Snapshots.DeleteAsync(p).WaitAsync(token).ConfigureAwait(false);
            return new Empty();
        })
        .Method(HostMethod.Diff, HostJson.Default.DiffParams, HostJson.Default.DiffReply, async (p, _, token) =>
        {
            var sandbox = await Access.GetAsync(p.Ref, token).ConfigureAwait(false);
            return await Workflows.Compare.RunAsync(sandbox, p, token).ConfigureAwait(false);
        })
        .Method(HostMethod.Rollback, HostJson.Default.RollbackParams, HostJson.Default.SandboxInfo, (p, _, token) => ChangeAsync(p.Ref, s => Workflows.RollBack.RunAsync(s, p), token))
        .Method(HostMethod.Fork, HostJson.Default.ForkParams, HostJson.Default.SandboxList, ForkAsync);

    private async ValueTask<SnapshotInfo> TakeAsync(string reference, Func<Host.Sandboxes.Sandbox, Task<SnapshotRecord>> take, CancellationToken cancellationToken)
    {
        var sandbox = await Access.GetAsync(reference, cancellationToken).ConfigureAwait(false);

        // The work goes on when the caller stops waiting, and so does the number of a turn.
        return Workflows.Snapshots.View(await take(sandbox).WaitAsync(cancellationToken).ConfigureAwait(false));
    }

    private async ValueTask<SandboxList> ForkAsync(ForkParams p, JsonRpcCall call, CancellationToken cancellationToken)
    {
        var operation = Workflows.Fork.Begin(p, new CreateParams { Name = p.Name, Labels = p.Labels, Secrets = p.Secrets, TimeoutMs = p.TimeoutMs });
        await WaitAsync(operation, call, cancellationToken).ConfigureAwait(false);
        var forks = await operation.Result.ConfigureAwait(false);
        return new SandboxList { Sandboxes = [.. forks.Select(f => host.Services.Catalog.Find(f.Id.Value) is { } sandbox ? Host.Sandboxes.SandboxView.Of(sandbox) : Host.Sandboxes.SandboxView.Of(f))] };
    }
}
