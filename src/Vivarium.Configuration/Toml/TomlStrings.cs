using System.Globalization;
using System.Text;

namespace Vivarium.Configuration.Toml;

/// <summary>Strings: basic and literal, on one line and on several.</summary>
internal static class TomlStrings
{
    public static string Read(TomlCursor cursor)
    {
        var quote = cursor.Peek;
        var basic = quote == '"';
        if (cursor.StartsWith(basic ? "\"\"\"" : "'''"))
        {
            cursor.Skip(3);
            return ReadMultiLine(cursor, quote, basic);
        }

        cursor.Advance();
        var text = new StringBuilder();
        for (; ; )
        {
            if (cursor.AtEnd || cursor.Peek == '\n' || cursor.AtCrLf)
            {
                throw cursor.Error("the string is not closed on its line");
            }

            if (cursor.Peek == quote)
            {
                cursor.Advance();
                return text.ToString();
            }

            if (basic && cursor.Peek == '\\')
            {
                cursor.Advance();
                ReadEscape(cursor, text);
                continue;
            }

            cursor.RefuseControl();
            text.Append(cursor.Take());
        }
    }

    private static string ReadMultiLine(TomlCursor cursor, char quote, bool basic)
    {
        var text = new StringBuilder();
        if (cursor.Peek == '\n' || cursor.AtCrLf)
        {
            cursor.EndLine();
        }

        for (; ; )
        {
            if (cursor.AtEnd)
            {
                throw cursor.Error("the multi-line string is not closed");
            }

            if (cursor.Peek == quote && TryClose(cursor, quote, text))
            {
                return text.ToString();
            }

            if (cursor.Peek == quote)
            {
                text.Append(cursor.Take());
            }
            else if (basic && cursor.Peek == '\\')
            {
                cursor.Advance();
                if (!SkipLineEnd(cursor))
                {
                    ReadEscape(cursor, text);
                }
            }
            else if (cursor.Peek == '\n' || cursor.AtCrLf)
            {
                cursor.EndLine();
                text.Append('\n');
            }
            else
            {
                cursor.RefuseControl();
                text.Append(cursor.Take());
            }
        }
    }

    /// <summary>Three to five quotes close the string; the first one or two of four or five belong to it.</summary>
    private static bool TryClose(TomlCursor cursor, char quote, StringBuilder text)
    {
        var run = 0;
        while (run < 5 && cursor.PeekAt(run) == quote)
        {
            run++;
        }

        if (run < 3)
        {
            return false;
        }

        text.Append(quote, run - 3);
        cursor.Skip(run);
        return true;
    }

    /// <summary>A backslash at the end of a line swallows it and all blank space up to the next text.</summary>
    private static bool SkipLineEnd(TomlCursor cursor)
    {
        var offset = 0;
        while (cursor.PeekAt(offset) is ' ' or '\t')
        {
            offset++;
        }

        if (cursor.PeekAt(offset) != '\n' && !(cursor.PeekAt(offset) == '\r' && cursor.PeekAt(offset + 1) == '\n'))
        {
            return false;
        }

        while (cursor.Peek is ' ' or '\t' or '\n' || cursor.AtCrLf)
        {
            cursor.Advance();
        }

        return true;
    }

    private static void ReadEscape(TomlCursor cursor, StringBuilder text)
    {
        var c = cursor.Peek;
        var plain = c switch
        {
            'b' => '\b',
            't' => '\t',
            'n' => '\n',
            'f' => '\f',
            'r' => '\r',
            '"' => '"',
            '\\' => '\\',
            _ => TomlCursor.End,
        };
        if (plain != TomlCursor.End)
        {
            cursor.Advance();
            text.Append(plain);
        }
        else if (c is 'u' or 'U')
        {
            cursor.Advance();
            text.Append(ReadRune(cursor, c == 'u' ? 4 : 8).ToString());
        }
        else
        {
            throw cursor.Error($"unknown escape: backslash and {cursor.Describe()}");
        }
    }

    private static Rune ReadRune(TomlCursor cursor, int digits)
    {
        Span<char> hex = stackalloc char[8];
        for (var i = 0; i < digits; i++)
        {
            if (!char.IsAsciiHexDigit(cursor.Peek))
            {
                throw cursor.Error($"expected {digits} hexadecimal digits");
            }

            hex[i] = cursor.Take();
        }

        var value = uint.Parse(hex[..digits], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        return Rune.TryCreate(value, out var rune) ? rune : throw cursor.Error($"U+{value:X4} is not a Unicode character");
    }
}
