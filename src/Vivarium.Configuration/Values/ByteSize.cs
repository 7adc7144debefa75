using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Vivarium.Configuration.Values;

/// <summary>
/// An amount of bytes, written as <c>512MiB</c>, <c>1.5GiB</c>, <c>64 k</c> or a plain number of bytes. KiB, MiB, GiB, TiB and the short k, m, g, t are powers
/// of 1024; kB, MB, GB, TB powers of 1000. Case does not matter. Range 0 to 2^63-1.
/// </summary>
public readonly record struct ByteSize(long Bytes) : IComparable<ByteSize>
{
    private static readonly (string Suffix, long Factor)[] Units =
    [
        ("kib", 1L << 10), ("mib", 1L << 20), ("gib", 1L << 30), ("tib", 1L << 40),
        ("kb", 1_000), ("mb", 1_000_000), ("gb", 1_000_000_000), ("tb", 1_000_000_000_000),
        ("k", 1L << 10), ("m", 1L << 20), ("g", 1L << 30), ("t", 1L << 40), ("b", 1),
    ];

    /// <summary>Reads a size; false when the text is none or does not fit.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ByteSize size)
    {
        size = default;
        var number = (text ?? "").AsSpan().Trim();
        var factor = 1L;
        foreach (var (suffix, unit) in Units)
        {
            if (number.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                factor = unit;
                number = number[..^suffix.Length].TrimEnd();
                break;
            }
        }

        // Decimal, not double: 0.1TiB and 9007199254740993 must come out exactly.
        if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            || value > long.MaxValue / (decimal)factor)
        {
            return false;
        }

        var bytes = value * factor;
        if (factor == 1 && bytes != decimal.Truncate(bytes))
        {
            return false;
        }

        size = new ByteSize((long)decimal.Truncate(bytes));
        return true;
    }

    /// <summary>So many mebibytes.</summary>
    public static ByteSize FromMiB(long mebibytes) => new(mebibytes << 20);

    /// <summary>So many gibibytes.</summary>
    public static ByteSize FromGiB(long gibibytes) => new(gibibytes << 30);

    /// <summary>Largest power-of-1024 unit that divides it, for example <c>1536MiB</c>; reads back to the same size.</summary>
    public override string ToString()
    {
        foreach (var (unit, shift) in new[] { ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10) })
        {
            if (Bytes != 0 && Bytes % (1L << shift) == 0)
            {
                return (Bytes >> shift).ToString(CultureInfo.InvariantCulture) + unit;
            }
        }

        return Bytes.ToString(CultureInfo.InvariantCulture);
    }

    /// <inheritdoc/>
    public int CompareTo(ByteSize other) => Bytes.CompareTo(other.Bytes);

#pragma warning disable CS1591
    public static bool operator <(ByteSize left, ByteSize right) => left.Bytes < right.Bytes;
    public static bool operator >(ByteSize left, ByteSize right) => left.Bytes > right.Bytes;
    public static bool operator <=(ByteSize left, ByteSize right) => left.Bytes <= right.Bytes;
    public static bool operator >=(ByteSize left, ByteSize right) => left.Bytes >= right.Bytes;
#pragma warning restore CS1591
}
