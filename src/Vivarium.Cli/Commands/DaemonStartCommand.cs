using Vivarium.Cli.Daemon;
using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv daemon start</c>.</summary>
internal sealed class DaemonStartCommand() : Verb("start", "Starts the daemon in the background; does nothing when it runs.")
{
    public static Verb Make() => new DaemonStartCommand { Usage = "[flags]" };

    public override int Run(Invocation call)
    {
        using (var running = call.TryConnect())
        {
            if (running is not null)
            {
                call.Messages.Line("the daemon runs already").Flush();
                return 0;
            }
        }

        using var host = DaemonStarter.Start(call.Config, call.ConfigFile, call.Messages);
        call.Messages.Line($"started the daemon (process {DaemonState.Version(host).Pid})").Flush();
        return 0;
    }
}
