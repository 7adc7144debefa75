using System.Globalization;
using Vivarium.Daemon.Http.Connect;
using Vivarium.Volumes;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Sessions;

internal sealed partial class SessionMethods
{
    private void AddSystem(ConnectService service) => service
        .Unary(SessionMethod.HealthCheck, SessionJson.Wire.EmptyRequest, SessionJson.Wire.HealthCheckResponse, (_, _, token) => HealthAsync(token))
        .Unary(SessionMethod.Capabilities, SessionJson.Wire.EmptyRequest, SessionJson.Wire.CapabilitiesResponse, (_, _, token) => CapabilitiesAsync(token));

    /// <summary>How the host is, with room and limits: what somebody who chooses between hosts needs.</summary>
    public async Task<HealthCheckResponse> HealthAsync(CancellationToken cancellationToken)
    {
        var health = await host.Reports.HealthAsync(cancellationToken).ConfigureAwait(false);
        var sessions = host.Services.Catalog.Count;
        var most = host.Services.Config.Limits.MaxSandboxes;
        var store = host.Services.Pool.Current;
        var usable = store is not null && (await host.Services.Pool.CheckAsync(store, cancellationToken).ConfigureAwait(false)).State != PoolState.Unusable;
        var space = usable ? await store!.SpaceAsync(cancellationToken).ConfigureAwait(false) : null;
        return new HealthCheckResponse
        {
            Status = health.Status,
            PoolState = store is null ? string.Empty : usable ? "ONLINE" : "FAULTED",
            SessionCount = sessions,
            ActiveTools = host.Services.Catalog.All().Sum(static s => s.Tools.Count),
            Uptime = uptime().Ticks * TimeSpan.NanosecondsPerTick,
            Errors = [.. health.Conditions.Select(static c => c.Message)],
            PoolSpace = space is null ? null : new Vivarium.Wire.Sessions.PoolSpace
            {
                Pool = store!.Name,
                Size = space.TotalBytes,
                Allocated = space.UsedBytes,
                Free = space.FreeBytes,
                Capacity = space.TotalBytes == 0 ? 0 : Math.Clamp(1 - ((double)space.FreeBytes / space.TotalBytes), 0, 1),
            },
            MaxSessions = most,
            FreeSessions = Math.Max(0, most - sessions),
        };
    }

    private async Task<CapabilitiesResponse> CapabilitiesAsync(CancellationToken cancellationToken)
    {
        var config = host.Services.Config;
        var store = await host.Services.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        var engines = await host.Services.Engines.ListAsync(cancellationToken).ConfigureAwait(false);
        return new CapabilitiesResponse
        {
            Snapshots = store.Capabilities.Snapshots,
            Rollback = store.Capabilities.Snapshots,
            Pause = true,
            StreamingProgress = true,
            TierRouting = config.Defaults.Runtime != "direct",
            MaxSessionDuration = config.Limits.MaxTimeout is { } life ? life.Ticks * TimeSpan.NanosecondsPerTick : 0,
            ConcurrentSessions = config.Limits.MaxSandboxes,
            StorageBackend = store.Name,
            Runtimes = [.. engines.Where(static e => e.Works).Select(static e => e.Runtime).Distinct().Order(StringComparer.Ordinal)],
            ApiVersion = Version(SessionMethod.Version),
            MinApiVersion = Version(SessionMethod.OldestVersion),
            Version = ProgramVersion.Text,
            MaxMessageBytes = maxMessage,
            Tools = [.. host.Tools.List().Tools.Select(static t => new SessionTool { Name = t.Name, Description = t.Description, Schema = t.Schema })],
        };
    }

    private static string Version(int number) => "v" + number.ToString(CultureInfo.InvariantCulture);
}
