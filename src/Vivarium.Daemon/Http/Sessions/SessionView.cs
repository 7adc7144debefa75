using Vivarium.Host;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Snapshots;
using Vivarium.Wire.Host;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Sessions;

/// <summary>The forms in which the session service shows things.</summary>
internal sealed class SessionView(VivariumHost host)
{
    private const long NanosecondsPerMillisecond = 1_000_000;

    /// <summary>A session, its space counted as far as that is quick.</summary>
    public async Task<Session> OfAsync(Sandbox sandbox, CancellationToken cancellationToken)
    {
        var used = await host.Workflows.Set.DiskUsedAsync(sandbox.Record, cancellationToken).ConfigureAwait(false);
        var session = Of(sandbox);
        return session with { SpaceUsed = session.SpaceUsed + (used ?? 0) };
    }

    /// <summary>A session.</summary>
    public Session Of(Sandbox sandbox)
    {
        var r = sandbox.Record;
        var snapshots = host.Services.Snapshots.Of(r.Id);
        return new Session
        {
            Id = Id(r),
            State = State(r),
            Mountpoint = r.Workdir ?? "/",
            TurnCount = r.Lineage?.Turns ?? 0,
            SnapCount = snapshots.Count,
            Created = DateTimeOffset.FromUnixTimeMilliseconds(r.CreatedUnixMs),
            Labels = r.Labels,
            SpaceUsed = snapshots.Sum(static s => s.BytesUnique ?? 0),
            SandboxId = r.Id.Value,
            Name = r.Name,
            SandboxState = r.State,
            Reason = r.Reason,
            Runtime = r.Runtime,
            Template = r.Template,
            Tier = Tier(r),
            Expires = r.ExpiresUnixMs is { } end ? DateTimeOffset.FromUnixTimeMilliseconds(end) : null,
            Snapshot = r.Lineage?.Head is { } head ? host.Services.Snapshots.Find(head)?.Name : null,
        };
    }

    /// <summary>What the sandbox can do.</summary>
    public SessionCapabilities Capabilities(SandboxRecord record)
    {
        var snapshots = host.Services.Pool.Current?.Capabilities.Snapshots ?? false;
        return new SessionCapabilities { Snapshots = snapshots, Rollback = snapshots, Pause = true, StreamingProgress = true, TierRouting = Tier(record) == 2 };
    }

    /// <summary>A snapshot.</summary>
    public SessionSnapshot Of(SnapshotRecord r)
    {
        var owner = host.Services.Catalog.Find(r.Sandbox.Value)?.Record;
        return new SessionSnapshot
        {
            Name = r.Name,
            Dataset = Id(r.Source),
            Used = r.BytesUnique ?? 0,
            Refer = r.BytesUnique ?? 0,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(r.CreatedUnixMs),
            Holds = r.Held ? 1 : 0,
            Id = r.Id.Value,
            Parent = r.Parent is { } parent ? host.Services.Snapshots.Find(parent)?.Name : null,
            Kind = r.Kind,
            TurnNumber = r.Turn ?? 0,
            Label = r.Label,
            Message = r.Message,
            Current = owner?.Lineage?.Head == r.Id,
            Added = r.Changes?.Added ?? 0,
            Changed = r.Changes?.Changed ?? 0,
            Removed = r.Changes?.Removed ?? 0,
        };
    }

    /// <summary>Milliseconds from nanoseconds, rounded up, so that a short time is not taken for none; 0 and null are none, what is below 0 stays below 0.</summary>
    public static long? Milliseconds(long? nanoseconds) =>
        nanoseconds is null or 0 ? null : nanoseconds > 0 ? ((nanoseconds - 1) / NanosecondsPerMillisecond) + 1 : -1;

    /// <summary>Nanoseconds from milliseconds.</summary>
    public static long Nanoseconds(long milliseconds) => milliseconds * NanosecondsPerMillisecond;

    /// <summary>2 inside a sandbox, 1 where nothing separates a session from the host.</summary>
    public static int Tier(SandboxRecord record) => record.Isolated ? 2 : 1;

    /// <summary>A session's id.</summary>
    public static string Id(SandboxRecord record) => record.ExternalId ?? record.Id.Value;

    /// <summary>The word for a state; one that is passing is named after what it comes from.</summary>
    private static string State(SandboxRecord record) => record.State switch
    {
        SandboxState.Creating => SessionState.Creating,
        SandboxState.Running or SandboxState.Pausing or SandboxState.Stopping or SandboxState.RollingBack => SessionState.Active,
        SandboxState.Starting when record.Rollback is not null => SessionState.Active,
        SandboxState.Paused or SandboxState.Resuming or SandboxState.Stopped or SandboxState.Starting => SessionState.Paused,
        SandboxState.Failed => SessionState.Failed,
        _ => SessionState.Destroying,
    };
}
