using System.Text;

namespace Vivarium.Linux.Tar;

/// <summary>The 512-byte header block: where its fields are and how numbers stand in them. Source: ustar in POSIX.1-2008; base 256 in GNU tar.</summary>
internal static class TarHeader
{
    public const int Block = 512;
    public const long OctalLimit = 1L << 33; // 11 octal digits
    public const uint IdLimit = 1 << 21; // 7 octal digits

    public static Span<byte> Name(Span<byte> header) => header[..100];

    public static Span<byte> Mode(Span<byte> header) => header.Slice(100, 8);

    public static Span<byte> Uid(Span<byte> header) => header.Slice(108, 8);

    public static Span<byte> Gid(Span<byte> header) => header.Slice(116, 8);

    public static Span<byte> Size(Span<byte> header) => header.Slice(124, 12);

    public static Span<byte> Modified(Span<byte> header) => header.Slice(136, 12);

    public static Span<byte> Checksum(Span<byte> header) => header.Slice(148, 8);

    public static Span<byte> Target(Span<byte> header) => header.Slice(157, 100);

    public static Span<byte> Magic(Span<byte> header) => header.Slice(257, 8);

    public static Span<byte> Major(Span<byte> header) => header.Slice(329, 8);

    public static Span<byte> Minor(Span<byte> header) => header.Slice(337, 8);

    public static Span<byte> Prefix(Span<byte> header) => header.Slice(345, 155);

    public static int Sum(ReadOnlySpan<byte> header)
    {
        var sum = 8 * ' ';
        for (var i = 0; i < Block; i++)
        {
            sum += i is >= 148 and < 156 ? 0 : header[i];
        }

        return sum;
    }

    /// <summary>Digits right-aligned, a NUL at the end.</summary>
    public static void PutOctal(Span<byte> field, long value)
    {
        field[^1] = 0;
        for (var i = field.Length - 2; i >= 0; i--, value >>= 3)
        {
            field[i] = (byte)('0' + (value & 7));
        }
    }

    /// <summary>Octal digits between blanks and NULs, or base 256 when the first bit is set; null when it is neither.</summary>
    public static long? Number(ReadOnlySpan<byte> field)
    {
        if ((field[0] & 0x80) != 0)
        {
            var large = field[0] == 0xFF ? -1L : field[0] & 0x3F;
            foreach (var b in field[1..])
            {
                if (large is > long.MaxValue >> 8 or < long.MinValue >> 8)
                {
                    return null;
                }

                large = (large << 8) | b;
            }

            return large;
        }

        var value = 0L;
        foreach (var b in field.Trim("\0 "u8))
        {
            if (b is < (byte)'0' or > (byte)'7')
            {
                return null;
            }

            value = (value << 3) | (uint)(b - '0');
        }

        return value;
    }

    public static string Text(ReadOnlySpan<byte> field)
    {
        var end = field.IndexOf((byte)0);
        return Encoding.Latin1.GetString(end < 0 ? field : field[..end]);
    }

    public static void PutText(Span<byte> field, string text) => Encoding.Latin1.GetBytes(text.AsSpan(0, Math.Min(text.Length, field.Length)), field);

    public static int Padding(long size) => (int)(-size & (Block - 1));
}
