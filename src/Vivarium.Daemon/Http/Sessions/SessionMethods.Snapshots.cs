using Vivarium.Daemon.Http.Connect;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Snapshots;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Sessions;

internal sealed partial class SessionMethods
{
    private void AddSnapshots(ConnectService service) => service
        .Unary(SessionMethod.TurnComplete, SessionJson.Wire.TurnCompleteRequest, SessionJson.Wire.SnapshotResponse, (p, call, token) =>
            TakeAsync(call, p.SessionId, s => Workflows.Snapshot.TurnAsync(s, new TurnParams { Ref = Ref(s), Label = Given(p.Label), Message = Given(p.Message) }), token))
        .Unary(SessionMethod.CreateSnapshot, SessionJson.Wire.CreateSnapshotRequest, SessionJson.Wire.SnapshotResponse, (p, call, token) =>
            TakeAsync(
                call,
                p.SessionId,
                s => Workflows.Snapshot.NamedAsync(s, new SnapshotParams { Ref = Ref(s), Name = Given(p.Name), Message = Given(p.Message), Hold = p.Hold ?? false }),
                token))
        .Unary(SessionMethod.RollbackSession, SessionJson.Wire.RollbackSessionRequest, SessionJson.Wire.SessionResponse, (p, call, token) =>
            string.IsNullOrEmpty(p.SnapshotId)
                ? throw new VivariumException(ErrorCode.InvalidArgument, $"{call.Method}: SnapshotID is required", null, "missing_field")
                : ChangeAsync(
                    call, p.SessionId, s => Workflows.RollBack.RunAsync(s, new RollbackParams { Ref = Ref(s), Snapshot = p.SnapshotId, DiscardLater = p.DiscardLater ?? false, Force = p.Force ?? false }), token))
        .Unary(SessionMethod.ListSnapshots, SessionJson.Wire.ListSnapshotsRequest, SessionJson.Wire.ListSnapshotsResponse, async (p, call, token) =>
        {
            var sandbox = await directory.GetAsync(call, p.SessionId, token).ConfigureAwait(false);
            Workflows.Snapshots.List(new SnapshotListParams { Ref = Ref(sandbox), Kind = Given(p.Kind) });
            return new ListSnapshotsResponse
            {
                Snapshots = [.. host.Services.Snapshots.Of(sandbox.Record.Id).Where(s => string.IsNullOrEmpty(p.Kind) || s.Kind == p.Kind).Select(view.Of)],
            };
        });

    private static string Ref(Sandbox sandbox) => sandbox.Record.Id.Value;

    private async Task<SnapshotResponse> TakeAsync(ConnectCall call, string? sessionId, Func<Sandbox, Task<SnapshotRecord>> take, CancellationToken cancellationToken)
    {
        var sandbox = await directory.GetAsync(call, sessionId, cancellationToken).ConfigureAwait(false);

        // The work goes on when the caller stops waiting, and so does the number of a turn.
        var record = await take(sandbox).WaitAsync(cancellationToken).ConfigureAwait(false);
        return new SnapshotResponse { SnapshotId = record.Name, TurnNumber = record.Turn ?? 0, SpaceUsed = record.BytesUnique ?? 0, Snapshot = view.Of(record) };
    }
}
