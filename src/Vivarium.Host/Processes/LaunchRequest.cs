using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Processes;

/// <summary>Reads what is to be launched.</summary>
internal static class LaunchRequest
{
    /// <summary>The request for the guest.</summary>
    /// <exception cref="VivariumException">invalid_argument: names the member.</exception>
    public static ExecRequest Of(LaunchProcessParams p)
    {
        if (p.ExposedPort is < 0 or > 65535)
        {
            throw Bad($"'exposed_port' is {p.ExposedPort}", "Give 1 to 65535, or leave it out.");
        }

        if (p.Request is { } request)
        {
            return p.Binary is null && p.Args is null && p.Env is null && p.Cwd is null && p.User is null ? Checked(request)
                : throw Bad("'request' and 'binary' with its members are two ways to say it", "Give one of them.");
        }

        return string.IsNullOrEmpty(p.Binary)
            ? throw Bad("'binary' is missing", "Name the program to start.")
            : new ExecRequest { Argv = [p.Binary, .. p.Args ?? []], Env = p.Env, Cwd = p.Cwd, User = p.User };
    }

    private static ExecRequest Checked(ExecRequest request)
    {
        if (request.Attach is not null)
        {
            throw Bad("'attach' joins a process", "Leave it out.");
        }

        // A tag of that form is how launched processes are found again.
        return request.Tag?.StartsWith("proc-", StringComparison.Ordinal) == true ? throw Bad("a tag that begins with 'proc-' would be taken for an id", "Choose another tag.") : request;
    }

    private static VivariumException Bad(string what, string hint) => new(ErrorCode.InvalidArgument, "starting a process: " + what, hint, "bad_params");
}
