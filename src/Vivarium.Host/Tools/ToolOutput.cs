using System.Text;
using Vivarium.Host.Processes;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tools;

/// <summary>One output stream of a command: kept within a limit, and passed on as text while it comes. A character is never torn between two pieces.</summary>
internal sealed class ToolOutput(int limit, bool isError, Action<ToolProgress> progress)
{
    private readonly MiddleCut kept = new(limit);
    private readonly Decoder decoder = Encoding.UTF8.GetDecoder();

    /// <summary>Bytes cut out of the middle.</summary>
    public long Cut => kept.Cut;

    /// <summary>Takes output.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        kept.Add(bytes);
        Pass(bytes, flush: false);
    }

    /// <summary>There is no more.</summary>
    public void End() => Pass([], flush: true);

    /// <summary>What was kept, with a mark where something is missing.</summary>
    public string Text() => kept.ToText();

    private void Pass(ReadOnlySpan<byte> bytes, bool flush)
    {
        var count = decoder.GetCharCount(bytes, flush);
        if (count == 0)
        {
            // Nothing but the beginning of a character: the decoder has to see it all the same.
            decoder.GetChars(bytes, Span<char>.Empty, flush);
            return;
        }

        var characters = new char[count];
        decoder.GetChars(bytes, characters, flush);
        progress(new ToolProgress { Content = new string(characters), IsError = isError });
    }
}
