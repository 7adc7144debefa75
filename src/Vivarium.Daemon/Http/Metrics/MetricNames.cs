using System.Globalization;
using System.Text;

namespace Vivarium.Daemon.Http.Metrics;

/// <summary>Names and labels as Prometheus wants them. Source: "Metric and label naming" and "Exposition formats" of the Prometheus documentation.</summary>
internal static class MetricNames
{
    /// <summary>Longest label value kept, in characters.</summary>
    private const int MaxValue = 128;

    /// <summary><c>vivarium.pool.free</c> in <c>By</c> is <c>vivarium_pool_free_bytes</c>; a counter ends in <c>_total</c>.</summary>
    public static string Of(string instrument, string? unit, MetricKind kind)
    {
        var name = new StringBuilder(instrument.Length + 16);
        foreach (var c in instrument)
        {
            name.Append(char.IsAsciiLetterOrDigit(c) ? c : '_');
        }

        name.Append(unit switch { "s" => "_seconds", "By" => "_bytes", _ => string.Empty });
        return kind == MetricKind.Counter ? name.Append("_total").ToString() : name.ToString();
    }

    /// <summary><c>name="value",…</c> in the order given, escaped.</summary>
    public static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.Length == 0)
        {
            return string.Empty;
        }

        var text = new StringBuilder();
        foreach (var tag in tags)
        {
            text.Append(text.Length == 0 ? string.Empty : ",").Append(tag.Key).Append("=\"");
            Escape(text, Convert.ToString(tag.Value, CultureInfo.InvariantCulture) ?? string.Empty, quotes: true);
            text.Append('"');
        }

        return text.ToString();
    }

    /// <summary>Escapes a help text or a label value.</summary>
    public static void Escape(StringBuilder to, string text, bool quotes)
    {
        var value = quotes && text.Length > MaxValue ? text.AsSpan(0, MaxValue) : text;
        foreach (var c in value)
        {
            _ = c switch
            {
                '\\' => to.Append(@"\\"),
                '\n' => to.Append(@"\n"),
                '"' when quotes => to.Append("\\\""),
                _ => to.Append(c),
            };
        }
    }
}
