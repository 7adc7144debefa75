using System.Text;

namespace Vivarium.Configuration.Toml;

/// <summary>Keys: bare, quoted and dotted.</summary>
internal static class TomlKeys
{
    /// <summary>Parts a dotted key may have; bounds what a hostile file can make us nest.</summary>
    public const int MaxParts = 32;

    public static IReadOnlyList<TomlKeyPart> ReadPath(TomlCursor cursor)
    {
        var parts = new List<TomlKeyPart>(1);
        for (; ; )
        {
            if (parts.Count == MaxParts)
            {
                throw cursor.Error($"a key has at most {MaxParts} parts");
            }

            var position = cursor.Position;
            parts.Add(new TomlKeyPart(ReadPart(cursor), position));
            cursor.SkipBlank();
            if (cursor.Peek != '.')
            {
                return parts;
            }

            cursor.Advance();
            cursor.SkipBlank();
        }
    }

    private static string ReadPart(TomlCursor cursor)
    {
        if (cursor.Peek is '"' or '\'')
        {
            if (cursor.StartsWith("\"\"\"") || cursor.StartsWith("'''"))
            {
                throw cursor.Error("a key cannot be a multi-line string");
            }

            return TomlStrings.Read(cursor);
        }

        var text = new StringBuilder();
        while (IsBare(cursor.Peek))
        {
            text.Append(cursor.Take());
        }

        return text.Length > 0 ? text.ToString() : throw cursor.Error($"expected a key, found {cursor.Describe()}");
    }

    private static bool IsBare(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '-';
}
