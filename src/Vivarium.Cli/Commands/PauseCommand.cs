using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv pause</c>.</summary>
internal sealed class PauseCommand() : LifecycleCommand("pause", "Freezes sandboxes: their processes stop where they are and use no CPU.", SandboxState.Running)
{
    public static Verb Make() => new PauseCommand
    {
        Usage = "[flags] SANDBOX…",
        Examples = [("viv pause quiet-fox", "until 'viv resume quiet-fox'")],
    };

    protected override SandboxInfo Apply(HostConnection host, string reference, Invocation call, ConnectionWait wait) => Call(host, HostMethod.Pause, reference, wait);
}
