using System.Globalization;

namespace Vivarium.Cli.Output;

/// <summary>Numbers for people; scripts use --json and get the exact ones.</summary>
internal static class Humanize
{
    /// <summary>At most four characters and a unit: <c>512 B</c>, <c>1.5 GiB</c>.</summary>
    public static string Bytes(long bytes)
    {
        var value = (double)bytes;
        var unit = 0;
        while (value >= 1000 && unit < 5)
        {
            value /= 1024;
            unit++;
        }

        var digits = unit == 0 || value >= 10 ? "0" : "0.#";
        return value.ToString(digits, CultureInfo.InvariantCulture) + " " + new[] { "B", "KiB", "MiB", "GiB", "TiB", "PiB" }[unit];
    }

    /// <summary>The largest unit that fits: <c>45s</c>, <c>12m</c>, <c>3h</c>, <c>5d</c>.</summary>
    public static string Age(TimeSpan age) => age.Ticks < 0 ? "0s"
        : age.TotalSeconds < 120 ? $"{(int)age.TotalSeconds}s"
        : age.TotalMinutes < 120 ? $"{(int)age.TotalMinutes}m"
        : age.TotalHours < 48 ? $"{(int)age.TotalHours}h"
        : $"{(int)age.TotalDays}d";

    /// <summary>Time since an instant given in milliseconds since the Unix epoch.</summary>
    public static string Since(long unixMs, TimeProvider clock) => Age(clock.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(unixMs));

    public static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    /// <summary>Date and time where the clock is, to the second.</summary>
    public static string Time(long unixMs, TimeProvider clock) =>
        TimeZoneInfo.ConvertTime(DateTimeOffset.FromUnixTimeMilliseconds(unixMs), clock.LocalTimeZone).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    public static string Percent(double fraction) => (fraction * 100).ToString("0.0", CultureInfo.InvariantCulture) + "%";

    /// <summary>A command line as one would type it.</summary>
    public static string Command(IEnumerable<string> argv) => string.Join(' ', argv.Select(Quote));

    private static string Quote(string word) =>
        word.Length > 0 && word.All(c => char.IsAsciiLetterOrDigit(c) || "-_./=:,+@%".Contains(c, StringComparison.Ordinal))
            ? word
            : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
