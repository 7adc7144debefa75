using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv daemon</c>.</summary>
internal static class DaemonCommand
{
    public static Verb Make() => new VerbGroup(
        "daemon",
        "The daemon. Commands start it when they need it; sandboxes go on when it stops.",
        DaemonRunCommand.Make(),
        DaemonStartCommand.Make(),
        DaemonStopCommand.Make(),
        DaemonRestartCommand.Make(),
        DaemonStatusCommand.Make())
    {
        Usage = "COMMAND",
        Examples = [("viv daemon status", "whether it runs, where its files are"), ("viv daemon restart", "after an upgrade; sandboxes and their streams live on")],
    };
}
