using System.Diagnostics.Metrics;

namespace Vivarium.Daemon.Http.Metrics;

/// <summary>Listens to our meters and keeps what they measured, for whoever asks.</summary>
internal sealed class MetricStore : IDisposable
{
    private const string Ours = "Vivarium.";

    private readonly Lock collecting = new();
    private readonly Lock gate = new();
    private readonly List<MetricFamily> families = [];
    private readonly MeterListener listener = new();

    /// <summary>Listens from now on, also to instruments made later.</summary>
    public MetricStore()
    {
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (!instrument.Meter.Name.StartsWith(Ours, StringComparison.Ordinal))
            {
                return;
            }

            var family = new MetricFamily(instrument);
            lock (gate)
            {
                families.Add(family);
            }

            l.EnableMeasurementEvents(instrument, family);
        };
        listener.SetMeasurementEventCallback<long>(static (_, value, tags, family) => ((MetricFamily)family!).Measured(value, tags));
        listener.SetMeasurementEventCallback<double>(static (_, value, tags, family) => ((MetricFamily)family!).Measured(value, tags));
        listener.Start();
    }

    /// <summary>Everything as it is now, sorted by name.</summary>
    public IReadOnlyList<MetricSnapshot> Collect()
    {
        // One at a time: what is observed belongs to the scrape that asked for it.
        lock (collecting)
        {
            MetricFamily[] all;
            lock (gate)
            {
                all = [.. families];
            }

            foreach (var family in all)
            {
                family.ForgetObserved();
            }

            listener.RecordObservableInstruments();
            return [.. all.Select(static f => f.Snapshot()).OrderBy(static s => s.Name, StringComparer.Ordinal)];
        }
    }

    /// <inheritdoc/>
    public void Dispose() => listener.Dispose();
}
