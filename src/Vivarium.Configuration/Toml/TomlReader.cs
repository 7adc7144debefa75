namespace Vivarium.Configuration.Toml;

/// <summary>
/// TOML 1.0.0, written to the public specification (toml.io/en/v1.0.0) because no TOML package is on the registry in use. After an error in
/// a one-line statement reading goes on with the next line, so that all of them are reported together.
/// </summary>
public sealed class TomlReader : ITomlReader
{
    /// <summary>Errors reported before the reader gives up on a text.</summary>
    public const int MaxErrors = 50;

    /// <inheritdoc/>
    public TomlDocument Read(string text)
    {
        var cursor = new TomlCursor(text);
        var tree = new TomlTree();
        var errors = new List<TomlError>();
        while (errors.Count < MaxErrors)
        {
            var start = cursor.Position.Line;
            try
            {
                if (!ReadStatement(cursor, tree))
                {
                    break;
                }
            }
            catch (TomlSyntaxException e)
            {
                errors.Add(new TomlError(e.Position, e.Message));

                // Inside a value of several lines there is no telling where the next statement begins.
                if (cursor.Position.Line != start || !cursor.SkipLine())
                {
                    break;
                }
            }
        }

        return new TomlDocument(tree.Root, errors);
    }

    private static bool ReadStatement(TomlCursor cursor, TomlTree tree)
    {
        cursor.SkipBlank();
        if (cursor.AtEnd)
        {
            return false;
        }

        if (cursor.Peek == '\n' || cursor.AtCrLf)
        {
            cursor.EndLine();
            return true;
        }

        if (cursor.Peek == '#')
        {
            cursor.SkipComment();
        }
        else if (cursor.Peek == '[')
        {
            ReadHeader(cursor, tree);
        }
        else
        {
            var path = TomlKeys.ReadPath(cursor);
            cursor.SkipBlank();
            cursor.Expect('=', "expected '=' after the key");
            cursor.SkipBlank();
            var value = TomlValues.Read(cursor, depth: 0);

            // The line must be complete before its value counts.
            EndStatement(cursor);
            tree.Assign(path, value);
            return true;
        }

        EndStatement(cursor);
        return true;
    }

    private static void ReadHeader(TomlCursor cursor, TomlTree tree)
    {
        var position = cursor.Position;
        cursor.Advance();
        var array = cursor.Peek == '[';
        if (array)
        {
            cursor.Advance();
        }

        cursor.SkipBlank();
        var path = TomlKeys.ReadPath(cursor);
        cursor.SkipBlank();
        cursor.Expect(']', "expected ']' at the end of the table name");
        if (array)
        {
            cursor.Expect(']', "expected ']]' at the end of the table name");
        }

        if (array)
        {
            tree.OpenArrayItem(path, position);
        }
        else
        {
            tree.OpenTable(path, position);
        }
    }

    private static void EndStatement(TomlCursor cursor)
    {
        cursor.SkipBlank();
        if (cursor.Peek == '#')
        {
            cursor.SkipComment();
        }

        if (!cursor.AtEnd)
        {
            cursor.EndLine();
        }
    }
}
