using Vivarium.Cli.Daemon;
using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv daemon stop</c>.</summary>
internal sealed class DaemonStopCommand() : Verb("stop", "Stops the daemon; sandboxes and what runs in them go on. The next command starts it again.")
{
    public static Verb Make() => new DaemonStopCommand { Usage = "[flags]" };

    public override int Run(Invocation call)
    {
        call.Messages.Line(DaemonState.Stop(call) ? "stopped the daemon; sandboxes go on" : "the daemon does not run").Flush();
        return 0;
    }
}
