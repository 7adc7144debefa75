using Vivarium.Host.Sandboxes;
using Vivarium.Host.Supervision;
using Vivarium.Host.Warm;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Health;

/// <summary>What the daemon says of itself: info, health, configuration.</summary>
internal sealed class Reports(HostServices host, WarmPool warm)
{
    private readonly long started = host.Time.GetTimestamp();

    /// <summary>Facts. The pool is only looked at when it is open: asking must not wait for it.</summary>
    public async Task<SystemInfo> InfoAsync(string version, CancellationToken cancellationToken)
    {
        var sandboxes = host.Catalog.All();
        var store = host.Pool.Current;
        var space = store is null ? null : await store.SpaceAsync(cancellationToken).ConfigureAwait(false);
        return new SystemInfo
        {
            Version = version,
            StateDirectory = host.Paths.State,
            RuntimeDirectory = host.Paths.Runtime,
            VolumeStore = store?.Name ?? "opening",
            PoolTotalBytes = space?.TotalBytes ?? 0,
            PoolFreeBytes = space?.FreeBytes ?? 0,
            Sandboxes = sandboxes.Count,
            Running = sandboxes.Count(static s => s.Record.State == SandboxState.Running),
            UptimeMs = (long)host.Time.GetElapsedTime(started).TotalMilliseconds,
            Engines = await host.Engines.ListAsync(cancellationToken).ConfigureAwait(false),
        };
    }

    /// <summary>Conditions, with the pool looked at anew.</summary>
    public async Task<HealthReply> HealthAsync(CancellationToken cancellationToken)
    {
        if (host.Pool.Current is { } store)
        {
            await host.Pool.CheckAsync(store, cancellationToken).ConfigureAwait(false);
        }

        string[] unspoken = [.. host.Catalog.All().Where(static s => s.Link is { Incompatible: not null }).Select(static s => s.Record.Name)];
        if (unspoken.Length == 0)
        {
            host.Health.Clear(SupervisorProtocols.Reason);
        }
        else
        {
            host.Health.Set(
                SupervisorProtocols.Reason,
                HealthConditions.Degraded,
                $"{unspoken.Length} sandbox{(unspoken.Length == 1 ? " has a supervisor" : "es have supervisors")} of a protocol this daemon does not speak ({string.Join(", ", unspoken.Take(5))}): they run, and can be ended by force; use the daemon of their version for more");
        }

        return host.Health.Snapshot() with { WarmPool = warm.Status() };
    }

    /// <summary>The configuration in force. No key of it is a secret.</summary>
    public ConfigReply Config() => new()
    {
        Files = host.Config.Files,
        Entries = [.. host.Config.Settings.Select(static s => new ConfigEntry { Key = s.Key, Value = s.Value, Source = s.Source })],
    };
}
