using System.Diagnostics;

namespace Vivarium.Bench.Measuring;

/// <summary>Takes measurements and reduces them.</summary>
internal static class Samples
{
    /// <summary>Milliseconds of one run.</summary>
    public static async Task<double> TimeAsync(Func<Task> action)
    {
        var start = Stopwatch.GetTimestamp();
        await action();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    /// <summary>Measures ours and the peer in turns, so that whatever else the machine does hits both alike; returns both medians.</summary>
    public static async Task<(double Ours, double Peer)> SideBySideAsync(int count, Func<Task> ours, Func<Task> peer)
    {
        var mine = new List<double>(count);
        var theirs = new List<double>(count);
        await ours();
        await peer();
        for (var i = 0; i < count; i++)
        {
            mine.Add(await TimeAsync(ours));
            theirs.Add(await TimeAsync(peer));
        }

        return (Median(mine), Median(theirs));
    }

    /// <summary>The median; 0 of nothing.</summary>
    public static double Median(IReadOnlyCollection<double> values) => Quantile(values, 0.5);

    /// <summary>The value below which the fraction <paramref name="q"/> lies.</summary>
    public static double Quantile(IReadOnlyCollection<double> values, double q)
    {
        if (values.Count == 0)
        {
            return 0;
        }

        var sorted = values.Order().ToArray();
        return sorted[Math.Min(sorted.Length - 1, (int)(q * sorted.Length))];
    }
}
