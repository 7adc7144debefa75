using System.Globalization;
using System.Text;

namespace Vivarium.Daemon.Http.Metrics;

/// <summary>Writes the Prometheus text format 0.0.4. A metric without series still has its HELP and TYPE lines, so that one can see what there is.</summary>
internal static class PrometheusText
{
    /// <summary>Writes all.</summary>
    public static string Write(IEnumerable<MetricSnapshot> metrics)
    {
        var text = new StringBuilder(16 * 1024);
        foreach (var metric in metrics)
        {
            text.Append("# HELP ").Append(metric.Name).Append(' ');
            MetricNames.Escape(text, metric.Help, quotes: false);
            text.Append("\n# TYPE ").Append(metric.Name).Append(' ').Append(metric.Kind switch
            {
                MetricKind.Counter => "counter",
                MetricKind.Histogram => "histogram",
                _ => "gauge",
            }).Append('\n');
            foreach (var (labels, series) in metric.Series)
            {
                if (metric.Kind == MetricKind.Histogram)
                {
                    Histogram(text, metric, labels, series);
                }
                else
                {
                    Sample(text, metric.Name, labels, series.Value);
                }
            }
        }

        return text.ToString();
    }

    private static void Histogram(StringBuilder text, MetricSnapshot metric, string labels, MetricSeries series)
    {
        var before = labels.Length == 0 ? string.Empty : labels + ",";
        long below = 0;
        for (var i = 0; i < series.Buckets.Count; i++)
        {
            below += series.Buckets[i];
            Sample(text, metric.Name + "_bucket", $"{before}le=\"{(i < metric.Bounds.Count ? Number(metric.Bounds[i]) : "+Inf")}\"", below);
        }

        Sample(text, metric.Name + "_sum", labels, series.Sum);
        Sample(text, metric.Name + "_count", labels, series.Count);
    }

    private static void Sample(StringBuilder text, string name, string labels, double value)
    {
        text.Append(name);
        if (labels.Length > 0)
        {
            text.Append('{').Append(labels).Append('}');
        }

        text.Append(' ').Append(Number(value)).Append('\n');
    }

    private static string Number(double value) =>
        double.IsNaN(value) ? "NaN" : double.IsPositiveInfinity(value) ? "+Inf" : double.IsNegativeInfinity(value) ? "-Inf" : value.ToString("R", CultureInfo.InvariantCulture);
}
