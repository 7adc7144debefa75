using Vivarium.Guest.Processes;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Exec;

/// <summary>The environment of a new process: what a login would set, then what the sandbox sets, then what the request sets.</summary>
internal static class ProcessEnvironment
{
    /// <summary>Value of TERM when a terminal is asked for and none is named.</summary>
    private const string DefaultTerm = "xterm-256color";

    /// <summary>Builds it, each entry <c>NAME=value</c>.</summary>
    public static IReadOnlyList<string> Build(UserIdentity user, GuestSettings settings, ExecRequest request, uint mark)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["PATH"] = SpawnOptions.DefaultPath,
            ["HOME"] = user.Home,
            ["USER"] = user.Name,
            ["LOGNAME"] = user.Name,
            ["SHELL"] = user.Shell,
        };
        if (request.Tty is { } tty)
        {
            variables["TERM"] = tty.Term ?? DefaultTerm;
        }

        foreach (var (name, value) in settings.Env)
        {
            variables[name] = value;
        }

        foreach (var (name, value) in request.Env ?? new Dictionary<string, string>())
        {
            variables[Checked(name, value)] = value;
        }

        return [.. variables.Select(static pair => $"{pair.Key}={pair.Value}"), .. ProcessMark.Variables(mark)];
    }

    /// <summary>Returns the name when name and value can be part of an environment.</summary>
    public static string Checked(string name, string? value)
    {
        if (name.Length == 0 || name.Contains('=', StringComparison.Ordinal) || name.Contains('\0', StringComparison.Ordinal))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"'{name.Replace('\0', ' ')}' cannot be the name of an environment variable");
        }

        return value is not null && !value.Contains('\0', StringComparison.Ordinal)
            ? name
            : throw new VivariumException(ErrorCode.InvalidArgument, $"the value of environment variable '{name}' is missing or contains a NUL character");
    }
}
