using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv start</c>.</summary>
internal sealed class StartCommand() : LifecycleCommand("start", "Starts stopped sandboxes again; their files are as they were.", SandboxState.Stopped)
{
    public static Verb Make() => new StartCommand
    {
        Usage = "[flags] SANDBOX…",
        Examples = [("viv start quiet-fox", "processes do not come back, files do")],
    };

    protected override SandboxInfo Apply(HostConnection host, string reference, Invocation call, ConnectionWait wait) => Call(host, HostMethod.Start, reference, wait);
}
