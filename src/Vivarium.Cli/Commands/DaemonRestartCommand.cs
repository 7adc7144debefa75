using Vivarium.Cli.Daemon;
using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv daemon restart</c>.</summary>
internal sealed class DaemonRestartCommand() : Verb("restart", "Stops the daemon and starts it again; sandboxes and their streams go on meanwhile.")
{
    public static Verb Make() => new DaemonRestartCommand { Usage = "[flags]" };

    public override int Run(Invocation call)
    {
        DaemonState.Stop(call);
        using var host = DaemonStarter.Start(call.Config, call.ConfigFile, call.Messages);
        call.Messages.Line($"started the daemon (process {DaemonState.Version(host).Pid})").Flush();
        return 0;
    }
}
