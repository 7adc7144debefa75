using System.Diagnostics.Metrics;

namespace Vivarium.Daemon.Http.Metrics;

/// <summary>One instrument and its series. Bounded: a label that turned out to take any value fills at most <see cref="MaxSeries"/>, the rest is not kept.</summary>
internal sealed class MetricFamily
{
    /// <summary>Series of one instrument.</summary>
    public const int MaxSeries = 256;

    private readonly Lock gate = new();
    private readonly Dictionary<string, MetricSeries> series = new(StringComparer.Ordinal);
    private readonly bool observed;
    private readonly bool adds;
    private readonly IReadOnlyList<double> bounds;

    public MetricFamily(Instrument instrument)
    {
        var kind = instrument.GetType().GetGenericTypeDefinition();
        observed = instrument.IsObservable;
        adds = kind == typeof(Counter<>) || kind == typeof(UpDownCounter<>);
        bounds = kind == typeof(Histogram<>) ? ((instrument as Histogram<double>)?.Advice?.HistogramBucketBoundaries ?? []) : [];
        Kind = kind == typeof(Histogram<>) ? MetricKind.Histogram
            : kind == typeof(Counter<>) || kind == typeof(ObservableCounter<>) ? MetricKind.Counter
            : MetricKind.Gauge;
        Name = MetricNames.Of(instrument.Name, instrument.Unit, Kind);
        Help = instrument.Description ?? string.Empty;
    }

    public string Name { get; }

    public string Help { get; }

    public MetricKind Kind { get; }

    /// <summary>Takes a measurement.</summary>
    public void Measured(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = MetricNames.Labels(tags);
        lock (gate)
        {
            if (!series.TryGetValue(labels, out var one))
            {
                if (series.Count >= MaxSeries)
                {
                    return;
                }

                series.Add(labels, one = new MetricSeries(bounds.Count));
            }

            if (Kind == MetricKind.Histogram)
            {
                one.Record(value, bounds);
            }
            else
            {
                one.Value = adds ? one.Value + value : value;
            }
        }
    }

    /// <summary>What is observed anew at every scrape: a series nobody reports any more is gone.</summary>
    public void ForgetObserved()
    {
        if (observed)
        {
            lock (gate)
            {
                series.Clear();
            }
        }
    }

    /// <summary>A copy.</summary>
    public MetricSnapshot Snapshot()
    {
        lock (gate)
        {
            return new MetricSnapshot(
                Name, Help, Kind, bounds, [.. series.OrderBy(static s => s.Key, StringComparer.Ordinal).Select(static s => new KeyValuePair<string, MetricSeries>(s.Key, s.Value.Copy()))]);
        }
    }
}
