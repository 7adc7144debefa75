using System.CommandLine;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv pause</c>.</summary>
internal sealed class PauseCommand : LifecycleCommand
{
    private readonly Option<bool> _disk = Opt.Flag("--disk", "give the memory back too: in gvisor processes are saved and go on at resume; elsewhere they end and start anew from the files");

    public PauseCommand()
        : base("pause", "Freezes sandboxes: their processes stop where they are and use no CPU.", SandboxState.Running) => Options.Add(_disk);

    public static Verb Make() => new PauseCommand
    {
        Usage = "[flags] SANDBOX…",
        Examples = [("viv pause quiet-fox", "until 'viv resume quiet-fox'"), ("viv pause --disk quiet-fox", "for a long time: it needs no memory and survives a restart of the machine")],
    };

    protected override SandboxInfo Apply(HostConnection host, string reference, Invocation call, ConnectionWait wait) =>
        host.Call(HostMethod.Pause, new PauseParams { Ref = reference, Disk = call.Get(_disk) }, HostJson.Default.PauseParams, HostJson.Default.SandboxInfo, wait);
}
