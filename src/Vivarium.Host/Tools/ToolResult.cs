using Vivarium.Wire.Guest;

namespace Vivarium.Host.Tools;

/// <summary>What a tool has to say.</summary>
internal sealed record ToolResult(string Content)
{
    public bool IsError { get; init; }

    public int? ExitCode { get; init; }

    public bool TimedOut { get; init; }

    public bool Oom { get; init; }

    public bool Truncated { get; init; }

    /// <summary>Nothing was run, so a repeat of the call tries again.</summary>
    public bool NotStarted { get; init; }

    /// <summary>An earlier daemon had started it for the same call.</summary>
    public bool Joined { get; init; }

    /// <summary>The tool ran and failed.</summary>
    public static ToolResult Failed(string why) => new(why) { IsError = true };

    /// <summary>How a command ended.</summary>
    public static ToolResult Of(ExecControl exit, string content, bool truncated) => new(content)
    {
        IsError = exit.Code != 0 || exit.TimedOut == true,
        ExitCode = exit.Code ?? (exit.Signal is { } signal ? 128 + signal : null),
        TimedOut = exit.TimedOut == true,
        Oom = exit.Oom == true,
        Truncated = truncated,
    };
}
