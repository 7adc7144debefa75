using System.Globalization;

namespace Vivarium.Configuration.Toml;

/// <summary>Integers and floats.</summary>
internal static class TomlNumbers
{
    public static TomlNode? TryParse(string token, TomlPosition position)
    {
        var unsigned = token[0] is '+' or '-' ? token.AsSpan(1) : token;
        var negative = token[0] == '-';
        if (unsigned is "inf")
        {
            return new TomlScalar(TomlKind.Float, negative ? double.NegativeInfinity : double.PositiveInfinity, position);
        }

        if (unsigned is "nan")
        {
            return new TomlScalar(TomlKind.Float, double.NaN, position);
        }

        if (unsigned.Length > 2 && unsigned[0] == '0' && unsigned[1] is 'x' or 'o' or 'b')
        {
            return unsigned.Length == token.Length ? ParsePrefixed(token, position) : null;
        }

        return unsigned.IndexOfAny('.', 'e', 'E') >= 0 ? ParseFloat(token, unsigned, position) : ParseDecimal(token, unsigned, position);
    }

    private static TomlScalar? ParseDecimal(string token, ReadOnlySpan<char> unsigned, TomlPosition position)
    {
        if (!IsDigits(unsigned, char.IsAsciiDigit) || (unsigned.Length > 1 && unsigned[0] == '0'))
        {
            return null;
        }

        return long.TryParse(token.Replace("_", ""), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            ? new TomlScalar(TomlKind.Integer, value, position)
            : throw new TomlSyntaxException(position, $"{token} does not fit into 64 bits");
    }

    private static TomlScalar? ParsePrefixed(string token, TomlPosition position)
    {
        var (radix, isDigit) = token[1] switch
        {
            'x' => (16, (Func<char, bool>)char.IsAsciiHexDigit),
            'o' => (8, c => c is >= '0' and <= '7'),
            _ => (2, c => c is '0' or '1'),
        };
        if (!IsDigits(token.AsSpan(2), isDigit))
        {
            return null;
        }

        var value = 0UL;
        foreach (var c in token.AsSpan(2))
        {
            if (c == '_')
            {
                continue;
            }

            var digit = (ulong)(char.IsAsciiDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
            if (value > ((ulong)long.MaxValue - digit) / (ulong)radix)
            {
                throw new TomlSyntaxException(position, $"{token} does not fit into 64 bits");
            }

            value = (value * (ulong)radix) + digit;
        }

        return new TomlScalar(TomlKind.Integer, (long)value, position);
    }

    private static TomlScalar? ParseFloat(string token, ReadOnlySpan<char> unsigned, TomlPosition position)
    {
        var mantissa = unsigned;
        var e = unsigned.IndexOfAny('e', 'E');
        if (e >= 0)
        {
            var exponent = unsigned[(e + 1)..];
            mantissa = unsigned[..e];
            if (exponent.Length > 0 && exponent[0] is '+' or '-')
            {
                exponent = exponent[1..];
            }

            if (!IsDigits(exponent, char.IsAsciiDigit))
            {
                return null;
            }
        }

        var dot = mantissa.IndexOf('.');
        var whole = dot >= 0 ? mantissa[..dot] : mantissa;
        if (!IsDigits(whole, char.IsAsciiDigit) || (whole.Length > 1 && whole[0] == '0') || (dot >= 0 && !IsDigits(mantissa[(dot + 1)..], char.IsAsciiDigit)))
        {
            return null;
        }

        var value = double.Parse(token.Replace("_", ""), NumberStyles.Float, CultureInfo.InvariantCulture);
        return new TomlScalar(TomlKind.Float, value, position);
    }

    /// <summary>At least one digit; underscores only between digits.</summary>
    private static bool IsDigits(ReadOnlySpan<char> text, Func<char, bool> isDigit)
    {
        if (text.IsEmpty || text[0] == '_' || text[^1] == '_')
        {
            return false;
        }

        for (var i = 0; i < text.Length; i++)
        {
            if (!isDigit(text[i]) && (text[i] != '_' || text[i - 1] == '_'))
            {
                return false;
            }
        }

        return true;
    }
}
