using System.Text;

namespace Vivarium.Configuration.Toml;

/// <summary>Values: everything right of an equals sign.</summary>
internal static class TomlValues
{
    /// <summary>Arrays and inline tables nest at most so deep.</summary>
    public const int MaxDepth = 64;

    public static TomlNode Read(TomlCursor cursor, int depth)
    {
        var position = cursor.Position;
        switch (cursor.Peek)
        {
            case '"' or '\'':
                return new TomlScalar(TomlKind.String, TomlStrings.Read(cursor), position);
            case '[':
                return ReadArray(cursor, depth + 1);
            case '{':
                return ReadInlineTable(cursor, depth + 1);
        }

        var token = ReadToken(cursor);
        if (token.Length == 0)
        {
            throw cursor.Error($"expected a value, found {cursor.Describe()}");
        }

        return token switch
        {
            "true" => new TomlScalar(TomlKind.Boolean, true, position),
            "false" => new TomlScalar(TomlKind.Boolean, false, position),
            _ => TomlDates.TryParse(token, position)
                ?? TomlNumbers.TryParse(token, position)
                ?? throw new TomlSyntaxException(position, $"'{token}' is not a value; strings need quotes"),
        };
    }

    /// <summary>The characters of a number, boolean or date; a date may hold one blank before its time.</summary>
    private static string ReadToken(TomlCursor cursor)
    {
        var token = new StringBuilder();
        for (; ; )
        {
            var c = cursor.Peek;
            if (char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '+' or '.' or ':')
            {
                token.Append(cursor.Take());
            }
            else if (c == ' ' && token.Length == 10 && token[4] == '-' && token[7] == '-' && char.IsAsciiDigit(cursor.PeekAt(1)))
            {
                token.Append(cursor.Take());
            }
            else
            {
                return token.ToString();
            }
        }
    }

    private static TomlArray ReadArray(TomlCursor cursor, int depth)
    {
        RefuseDepth(cursor, depth);
        var array = new TomlArray(cursor.Position);
        cursor.Advance();
        for (; ; )
        {
            cursor.SkipBlankLines();
            if (cursor.Peek == ']')
            {
                cursor.Advance();
                return array;
            }

            array.Add(Read(cursor, depth));
            cursor.SkipBlankLines();
            if (cursor.Peek == ',')
            {
                cursor.Advance();
            }
            else if (cursor.Peek != ']')
            {
                throw cursor.Error($"expected ',' or ']' in the array, found {cursor.Describe()}");
            }
        }
    }

    private static TomlTable ReadInlineTable(TomlCursor cursor, int depth)
    {
        RefuseDepth(cursor, depth);
        var table = new TomlTable(cursor.Position) { MadeBy = TomlTable.Origin.Inline };
        cursor.Advance();
        cursor.SkipBlank();
        if (cursor.Peek == '}')
        {
            cursor.Advance();
            return table;
        }

        for (; ; )
        {
            cursor.SkipBlank();
            var path = TomlKeys.ReadPath(cursor);
            cursor.SkipBlank();
            cursor.Expect('=', "expected '=' after the key");
            cursor.SkipBlank();
            TomlTree.Assign(table, path, Read(cursor, depth));
            cursor.SkipBlank();
            if (cursor.Peek == '}')
            {
                cursor.Advance();
                Seal(table);
                return table;
            }

            cursor.Expect(',', "expected ',' or '}' in the inline table");
        }
    }

    /// <summary>What dotted keys made inside an inline table is complete with it.</summary>
    private static void Seal(TomlTable table)
    {
        foreach (var entry in table.Entries)
        {
            if (entry.Value is TomlTable { MadeBy: TomlTable.Origin.Dotted } inner)
            {
                inner.MadeBy = TomlTable.Origin.Inline;
                Seal(inner);
            }
        }
    }

    private static void RefuseDepth(TomlCursor cursor, int depth)
    {
        if (depth > MaxDepth)
        {
            throw cursor.Error($"values nest at most {MaxDepth} deep");
        }
    }
}
