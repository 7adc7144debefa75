using System.CommandLine;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv stop</c>.</summary>
internal sealed class StopCommand : LifecycleCommand
{
    private readonly Option<bool> _force = Opt.Flag("--force", "at once, without asking the processes", "-f");
    private readonly Option<string> _deadline = Opt.Text("--deadline", "TIME", "how long the orderly stop may take; default 10s");

    public StopCommand()
        : base("stop", "Stops sandboxes in order: processes are asked to end, then made to. Files stay; 'viv start' brings them back.", SandboxState.Running, SandboxState.Paused)
    {
        Options.Add(_force);
        Options.Add(_deadline);
    }

    public static Verb Make() => new StopCommand
    {
        Usage = "[flags] SANDBOX…",
        Examples = [("viv stop --deadline 30s quiet-fox", "it may take half a minute"), ("viv stop -f quiet-fox", "at once")],
    };

    protected override SandboxInfo Apply(HostConnection host, string reference, Invocation call, ConnectionWait wait) => host.Call(
        HostMethod.Stop,
        new StopSandboxParams { Ref = reference, Force = call.Get(_force), DeadlineMs = Values.Duration(call.Get(_deadline), "--deadline") },
        HostJson.Default.StopSandboxParams,
        HostJson.Default.SandboxInfo,
        wait);
}
