namespace Vivarium.Configuration.Toml;

/// <summary>Walks over the text and knows line and column.</summary>
internal sealed class TomlCursor(string text)
{
    private int _index;
    private int _line = 1;
    private int _lineStart;

    /// <summary>What <see cref="Peek"/> gives at the end; a NUL in the text itself is refused wherever it stands.</summary>
    public const char End = '\0';

    public TomlPosition Position => new(_line, _index - _lineStart + 1);

    public bool AtEnd => _index >= text.Length;

    public char Peek => AtEnd ? End : text[_index];

    public bool AtCrLf => PeekAt(0) == '\r' && PeekAt(1) == '\n';

    public char PeekAt(int offset) => _index + offset < text.Length ? text[_index + offset] : End;

    public void Advance()
    {
        if (text[_index++] == '\n')
        {
            _line++;
            _lineStart = _index;
        }
    }

    public char Take()
    {
        var c = Peek;
        if (!AtEnd)
        {
            Advance();
        }

        return c;
    }

    public bool StartsWith(string token) => string.CompareOrdinal(text, _index, token, 0, token.Length) == 0;

    public void Skip(int count)
    {
        for (var i = 0; i < count; i++)
        {
            Advance();
        }
    }

    public void Expect(char c, string message)
    {
        if (Peek != c || AtEnd)
        {
            throw Error(message);
        }

        Advance();
    }

    public void SkipBlank()
    {
        while (Peek is ' ' or '\t')
        {
            Advance();
        }
    }

    /// <summary>Skips blanks, line ends and comments, as allowed inside arrays.</summary>
    public void SkipBlankLines()
    {
        for (; ; )
        {
            SkipBlank();
            if (Peek == '#')
            {
                SkipComment();
            }
            else if (Peek == '\n' || AtCrLf)
            {
                EndLine();
            }
            else
            {
                return;
            }
        }
    }

    public void SkipComment()
    {
        while (!AtEnd && Peek != '\n' && !AtCrLf)
        {
            RefuseControl();
            Advance();
        }
    }

    public void EndLine()
    {
        if (AtCrLf)
        {
            Advance();
        }

        if (Peek != '\n')
        {
            throw Error($"unexpected {Describe()}; expected the end of the line");
        }

        Advance();
    }

    /// <summary>Goes behind the next line end; false at the end of the text.</summary>
    public bool SkipLine()
    {
        while (!AtEnd && Peek != '\n')
        {
            Advance();
        }

        if (AtEnd)
        {
            return false;
        }

        Advance();
        return true;
    }

    /// <summary>Control characters but the tab stand nowhere; neither does half of a surrogate pair.</summary>
    public void RefuseControl()
    {
        var c = Peek;
        if ((c < ' ' && c != '\t') || c == '\u007f')
        {
            throw Error($"control character U+{(int)c:X4} is not allowed here");
        }

        if (char.IsSurrogate(c) && !char.IsSurrogatePair(c, PeekAt(1)) && !char.IsSurrogatePair(PeekAt(-1), c))
        {
            throw Error("the text is not valid Unicode here");
        }
    }

    public string Describe() => AtEnd ? "end of file" : Peek switch
    {
        '\n' or '\r' => "end of line",
        < ' ' => $"control character U+{(int)Peek:X4}",
        var c => $"'{c}'",
    };

    public TomlSyntaxException Error(string message) => new(Position, message);
}
