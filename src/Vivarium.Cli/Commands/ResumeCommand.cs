using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv resume</c>.</summary>
internal sealed class ResumeCommand() : LifecycleCommand("resume", "Thaws paused sandboxes; those paused to disk go on from what was saved, or start anew from their files.", SandboxState.Paused)
{
    public static Verb Make() => new ResumeCommand
    {
        Usage = "[flags] SANDBOX…",
        Examples = [("viv resume quiet-fox", "its processes go on where they were")],
    };

    protected override SandboxInfo Apply(HostConnection host, string reference, Invocation call, ConnectionWait wait) => Call(host, HostMethod.Resume, reference, wait);
}
