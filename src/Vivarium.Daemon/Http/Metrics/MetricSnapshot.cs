namespace Vivarium.Daemon.Http.Metrics;

/// <summary>Types of the Prometheus text format that we have.</summary>
internal enum MetricKind
{
    Counter,
    Gauge,
    Histogram,
}

/// <summary>One metric with its series at one moment; labels are as they are written between the braces.</summary>
internal sealed record MetricSnapshot(string Name, string Help, MetricKind Kind, IReadOnlyList<double> Bounds, IReadOnlyList<KeyValuePair<string, MetricSeries>> Series);

/// <summary>The value of one series; for a histogram its buckets, count and sum.</summary>
internal sealed class MetricSeries(int bounds)
{
    private readonly long[] buckets = new long[bounds + 1];

    public double Value { get; set; }

    public double Sum { get; private set; }

    public long Count { get; private set; }

    /// <summary>Values in each bucket, the last one above all bounds; not cumulative.</summary>
    public IReadOnlyList<long> Buckets => buckets;

    public void Record(double value, IReadOnlyList<double> limits)
    {
        var bucket = 0;
        while (bucket < limits.Count && value > limits[bucket])
        {
            bucket++;
        }

        buckets[bucket]++;
        Count++;
        Sum += value;
    }

    public MetricSeries Copy()
    {
        var copy = new MetricSeries(buckets.Length - 1) { Value = Value, Sum = Sum, Count = Count };
        buckets.CopyTo(copy.buckets, 0);
        return copy;
    }
}
