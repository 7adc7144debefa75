using Vivarium.Cli.Daemon;
using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv daemon run</c>: in the foreground; this process becomes the daemon.</summary>
internal sealed class DaemonRunCommand() : Verb("run", "Runs the daemon in the foreground, its log on standard error; for service managers and for looking at it.")
{
    public static Verb Make() => new DaemonRunCommand { Usage = "[flags]", Examples = [("viv daemon run", "ends with Ctrl-C; sandboxes go on")] };

    public override int Run(Invocation call)
    {
        _ = call.Config; // errors are said by us, in order, rather than in the daemon's log
        return Programs.Become(Programs.Daemon(), Programs.DaemonArguments(call.ConfigFile));
    }
}
