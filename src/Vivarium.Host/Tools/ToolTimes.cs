using Vivarium.Wire.Errors;

namespace Vivarium.Host.Tools;

/// <summary>How long a call may take.</summary>
internal static class ToolTimes
{
    /// <summary>What the call asks for, or the default.</summary>
    /// <exception cref="VivariumException">invalid_argument: more than may be asked for.</exception>
    public static TimeSpan Of(ToolRun run, TimeSpan otherwise)
    {
        if (run.Arguments.Number("timeout_ms") is not { } asked)
        {
            return otherwise < run.Limits.MaxTimeout ? otherwise : run.Limits.MaxTimeout;
        }

        var wanted = TimeSpan.FromMilliseconds(asked);
        return wanted <= run.Limits.MaxTimeout ? wanted : throw new VivariumException(
            ErrorCode.InvalidArgument,
            $"calling a tool: 'timeout_ms' is {asked}, more than the {run.Limits.MaxTimeout.TotalMilliseconds:0} allowed",
            "Ask for less; or start what takes long with process.launch. The limit is tools.max_timeout of the host's configuration.",
            "bad_arguments");
    }
}
