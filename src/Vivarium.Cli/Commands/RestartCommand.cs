using System.CommandLine;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv restart</c>.</summary>
internal sealed class RestartCommand : LifecycleCommand
{
    private readonly Option<bool> _force = Opt.Flag("--force", "at once, without asking the processes", "-f");
    private readonly Option<string> _deadline = Opt.Text("--deadline", "TIME", "how long the orderly stop may take; default 10s");

    public RestartCommand()
        : base("restart", "Stops and starts sandboxes.", SandboxState.Running, SandboxState.Paused)
    {
        Options.Add(_force);
        Options.Add(_deadline);
    }

    public static Verb Make() => new RestartCommand
    {
        Usage = "[flags] SANDBOX…",
        Examples = [("viv restart quiet-fox", "fresh processes on the same files"), ("viv restart -f quiet-fox", "at once")],
    };

    protected override SandboxInfo Apply(HostConnection host, string reference, Invocation call, ConnectionWait wait) => host.Call(
        HostMethod.Restart,
        new StopSandboxParams { Ref = reference, Force = call.Get(_force), DeadlineMs = Values.Duration(call.Get(_deadline), "--deadline") },
        HostJson.Default.StopSandboxParams,
        HostJson.Default.SandboxInfo,
        wait);
}
