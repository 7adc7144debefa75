using System.CommandLine;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv daemon stop</c>.</summary>
internal sealed class DaemonStopCommand : Verb
{
    private readonly Option<bool> _unmount = Opt.Flag("--unmount", "also unmount the pool; refused while a sandbox uses it");

    public DaemonStopCommand()
        : base("stop", "Stops the daemon; sandboxes and what runs in them go on. The next command starts it again.") => Options.Add(_unmount);

    public static Verb Make() => new DaemonStopCommand
    {
        Usage = "[flags]",
        Examples = [("viv daemon stop", "sandboxes go on"), ("viv rm -fa && viv daemon stop --unmount", "nothing of ours is left mounted")],
    };

    public override int Run(Invocation call)
    {
        var unmount = call.Get(_unmount);
        var stopped = DaemonState.Stop(call, unmount);
        call.Messages.Line(!stopped ? "the daemon does not run" : unmount ? "stopped the daemon and unmounted the pool" : "stopped the daemon; sandboxes go on").Flush();
        return 0;
    }
}
