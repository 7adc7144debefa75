using System.Diagnostics.Metrics;
using Vivarium.Host.Operations;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Timers;
using Vivarium.Volumes;

namespace Vivarium.Host.Metrics;

/// <summary>What is, when somebody asks: sandboxes by state, the pool, supervisors, operations, health. Nothing is kept up to date meanwhile.</summary>
internal sealed class HostGauges
{
    /// <summary>What looking at the pool may take.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly HostServices host;
    private PoolSpace? space;

    public HostGauges(HostServices host)
    {
        this.host = host;
        var meter = host.Metrics.Meter;
        meter.CreateObservableGauge("vivarium.sandboxes", Sandboxes, null, "Sandboxes, by state and runtime.");
        meter.CreateObservableGauge("vivarium.sandboxes.limit", () => (long)host.Config.Limits.MaxSandboxes, null, "Sandboxes there may be at once (limits.max_sandboxes).");
        meter.CreateObservableGauge("vivarium.supervisors.connected", () => (long)host.Catalog.All().Count(static s => s.Link is { IsOver: false }), null, "Supervisors the daemon is connected to.");
        meter.CreateObservableGauge(
            "vivarium.operations.running", () => (long)host.Operations.List().Operations.Count(static o => o.Status == Operation.Running), null, "Operations that run now.");
        meter.CreateObservableGauge("vivarium.health.condition", Conditions, null, "1 for each condition that is not well, by name and severity.");
        meter.CreateObservableGauge("vivarium.pool.size", () => Of(static s => s.TotalBytes), "By", "Size of the pool.");
        meter.CreateObservableGauge("vivarium.pool.free", () => Of(static s => s.FreeBytes), "By", "Free in the pool.");
    }

    /// <summary>Looks at what cannot be looked at synchronously. A pool that does not answer in time is left out.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        using var deadline = new Deadline(host.Time, Patience, cancellationToken);
        try
        {
            space = host.Pool.Current is { } store ? await store.SpaceAsync(deadline.Token).WaitAsync(deadline.Token).ConfigureAwait(false) : null;
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            space = null;
        }
    }

    private IEnumerable<Measurement<long>> Sandboxes() => host.Catalog.All()
        .Select(static s => s.Record)
        .GroupBy(static r => (r.State, r.Runtime))
        .Select(static g => new Measurement<long>(g.LongCount(), new("state", g.Key.State), new("runtime", g.Key.Runtime)));

    private IEnumerable<Measurement<long>> Conditions() =>
        host.Health.Snapshot().Conditions.Select(static c => new Measurement<long>(1, new("condition", c.Name), new("severity", c.Severity)));

    private IEnumerable<Measurement<long>> Of(Func<PoolSpace, long> value) => space is { } known ? [new Measurement<long>(value(known))] : [];
}
