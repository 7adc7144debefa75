using System.Text;
using Vivarium.Cli.Interop;

namespace Vivarium.Cli.Output;

/// <summary>Text to a descriptor, in whole writes. A reader that has gone away (<c>viv ls | head</c>) is not an error.</summary>
internal sealed class TextOut(int fd)
{
    private readonly StringBuilder _text = new();

    public int Descriptor => fd;

    public bool IsTerminal { get; } = Fd.IsTerminal(fd);

    /// <summary>Colour only on a terminal that can show it, and never against NO_COLOR (no-color.org).</summary>
    public bool Color => IsTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    /// <summary>Columns to lay tables out for; unlimited when nobody looks.</summary>
    public int Width => IsTerminal && Terminal.TerminalSize.Of(fd) is { } size ? size.Cols : int.MaxValue;

    public TextOut Write(string text)
    {
        _text.Append(text);
        return this;
    }

    public TextOut Line(string text = "")
    {
        _text.Append(text).Append('\n');
        if (_text.Length > 32 * 1024)
        {
            Flush();
        }

        return this;
    }

    public void Flush()
    {
        if (_text.Length > 0)
        {
            _ = Fd.WriteAll(fd, Encoding.UTF8.GetBytes(_text.ToString()));
            _text.Clear();
        }
    }

    /// <summary>Bytes as they are, after the text before them.</summary>
    public bool Raw(ReadOnlySpan<byte> bytes)
    {
        Flush();
        return Fd.WriteAll(fd, bytes);
    }
}
