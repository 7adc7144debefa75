using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Vivarium.Configuration.Values;

/// <summary>
/// Durations as people write them: <c>90s</c>, <c>2h30m</c>, <c>1.5h</c>, <c>500ms</c>, <c>7d</c>; a plain number is seconds. Units d, h, m, s, ms, each at most once and from
/// large to small. Range 0 to 3650 days.
/// </summary>
public static class DurationText
{
    /// <summary>Longest duration accepted.</summary>
    public static readonly TimeSpan Max = TimeSpan.FromDays(3650);

    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");

    private static readonly (string Unit, long Ticks)[] Units =
    [
        ("d", TimeSpan.TicksPerDay), ("h", TimeSpan.TicksPerHour), ("m", TimeSpan.TicksPerMinute), ("s", TimeSpan.TicksPerSecond), ("ms", TimeSpan.TicksPerMillisecond),
    ];

    /// <summary>Reads a duration; false when the text is none or out of range.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out TimeSpan duration)
    {
        duration = default;
        var rest = (text ?? "").AsSpan().Trim();
        var total = 0m;
        var next = 0;
        if (rest.IsEmpty)
        {
            return false;
        }

        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExcept(Digits);
            var number = digits < 0 ? rest : rest[..digits];
            rest = digits < 0 ? default : rest[digits..];
            if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) || value > 1_000_000_000_000m)
            {
                return false;
            }

            var letters = rest.IndexOfAny(Digits);
            var name = (letters < 0 ? rest : rest[..letters]).Trim();
            rest = letters < 0 ? default : rest[letters..];

            // Only a number that stands alone may go without its unit.
            var unit = name.IsEmpty && next == 0 && rest.IsEmpty ? 3 : IndexOf(name);
            if (unit < next)
            {
                return false;
            }

            next = unit + 1;
            total += value * Units[unit].Ticks;
        }

        if (total > Max.Ticks)
        {
            return false;
        }

        duration = TimeSpan.FromTicks((long)total);
        return true;
    }

    /// <summary>The shortest text that reads back to the same duration (to the millisecond).</summary>
    public static string Format(TimeSpan duration)
    {
        var rest = duration.Ticks - (duration.Ticks % TimeSpan.TicksPerMillisecond);
        var text = new StringBuilder();
        foreach (var (unit, ticks) in Units)
        {
            if (rest >= ticks)
            {
                text.Append(rest / ticks).Append(unit);
                rest %= ticks;
            }
        }

        return text.Length == 0 ? "0s" : text.ToString();
    }

    private static int IndexOf(ReadOnlySpan<char> name)
    {
        for (var i = 0; i < Units.Length; i++)
        {
            if (name.Equals(Units[i].Unit, StringComparison.OrdinalIgnoreCase))
            {
                return i;
            }
        }

        return -1;
    }
}
