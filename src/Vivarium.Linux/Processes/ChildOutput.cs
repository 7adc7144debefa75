using System.Text;

namespace Vivarium.Linux.Processes;

/// <summary>What a program run by <see cref="ChildRun"/> said and how it ended.</summary>
/// <param name="Exit">How it ended.</param>
/// <param name="Stdout">Its standard output, possibly cut.</param>
/// <param name="Stderr">Its standard error, possibly cut.</param>
/// <param name="TimedOut">It was killed because its time was up.</param>
/// <param name="Truncated">Output was dropped.</param>
public sealed record ChildOutput(ChildExit Exit, ReadOnlyMemory<byte> Stdout, ReadOnlyMemory<byte> Stderr, bool TimedOut, bool Truncated)
{
    /// <summary>Ended with code 0 in time.</summary>
    public bool Succeeded => Exit.Code == 0 && !TimedOut;

    /// <summary>Standard output as UTF-8.</summary>
    public string StdoutText => Encoding.UTF8.GetString(Stdout.Span);

    /// <summary>Standard error as UTF-8.</summary>
    public string StderrText => Encoding.UTF8.GetString(Stderr.Span);

    /// <summary>One line for an error message: the last line it wrote to standard error (or output), and how it ended.</summary>
    public string Summary
    {
        get
        {
            var end = TimedOut ? "ran out of time" : Exit.Signal is { } signal ? $"was ended by {Signals.Name(signal)}" : $"exited with {Exit.Code}";
            var text = StderrText.AsSpan().Trim();
            text = text.IsEmpty ? StdoutText.AsSpan().Trim() : text;
            var last = text[(text.LastIndexOf('\n') + 1)..].Trim();
            return last.IsEmpty ? end : $"{end}: {(last.Length > 500 ? last[..500] : last)}";
        }
    }
}
