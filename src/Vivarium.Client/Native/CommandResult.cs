using System.Text;
using Vivarium.Wire.Guest;

namespace Vivarium.Client;

/// <summary>How a command ended, and what it wrote.</summary>
public sealed record CommandResult
{
    private const int SignalBase = 128;

    /// <summary>Exit code; 128 and the signal when a signal ended it.</summary>
    public required int ExitCode { get; init; }

    /// <summary>The signal that ended it.</summary>
    public int? Signal { get; init; }

    /// <summary>Its time ran out.</summary>
    public bool TimedOut { get; init; }

    /// <summary>The out-of-memory killer ended it.</summary>
    public bool OutOfMemory { get; init; }

    /// <summary>How long it ran.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Standard output.</summary>
    public ReadOnlyMemory<byte> Stdout { get; init; }

    /// <summary>Standard error.</summary>
    public ReadOnlyMemory<byte> Stderr { get; init; }

    /// <summary>Standard output as UTF-8.</summary>
    public string StdoutText => Encoding.UTF8.GetString(Stdout.Span);

    /// <summary>Standard error as UTF-8.</summary>
    public string StderrText => Encoding.UTF8.GetString(Stderr.Span);

    internal static CommandResult Of(ExecControl exit) => new()
    {
        ExitCode = exit.Code ?? SignalBase + (exit.Signal ?? 0),
        Signal = exit.Signal,
        TimedOut = exit.TimedOut == true,
        OutOfMemory = exit.Oom == true,
        Duration = TimeSpan.FromMilliseconds(exit.DurationMs ?? 0),
    };
}

/// <summary>A piece of what a running command writes, or its end.</summary>
public sealed record CommandOutput
{
    /// <summary>Bytes as they came; empty at the end.</summary>
    public ReadOnlyMemory<byte> Data { get; init; }

    /// <summary>They are from standard error.</summary>
    public bool IsError { get; init; }

    /// <summary>How it ended; the last piece only. Its outputs are empty: they have been given already.</summary>
    public CommandResult? Result { get; init; }
}
