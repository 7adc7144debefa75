using Vivarium.Configuration.Sections;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Tools;

/// <summary>How long a call may take.</summary>
internal static class ToolTimes
{
    /// <summary>What the call asks for, or the default, which is never more than may be asked for.</summary>
    public static TimeSpan Of(ToolRun run, TimeSpan otherwise) =>
        run.Arguments.Number("timeout_ms") is { } asked ? TimeSpan.FromMilliseconds(asked) : otherwise < run.Limits.MaxTimeout ? otherwise : run.Limits.MaxTimeout;

    /// <summary>Refuses more than may be asked for, before anything runs.</summary>
    /// <exception cref="VivariumException">invalid_argument <c>bad_arguments</c>.</exception>
    public static void Check(Tool tool, ToolArguments arguments, ToolsConfig limits)
    {
        if (arguments.Number("timeout_ms") is { } asked && asked > limits.MaxTimeout.TotalMilliseconds)
        {
            throw new VivariumException(
                ErrorCode.InvalidArgument,
                $"calling tool {tool.Name}: 'timeout_ms' is {asked}, more than the {limits.MaxTimeout.TotalMilliseconds:0} allowed",
                "Ask for less; or start what takes long with process.launch. The limit is tools.max_timeout of the host's configuration.",
                "bad_arguments");
        }
    }
}
