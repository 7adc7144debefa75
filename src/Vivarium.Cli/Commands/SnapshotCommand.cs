using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv snapshot</c>: keeps a sandbox as it is now.</summary>
internal sealed class SnapshotCommand : Verb
{
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Argument<string?> _name = Opt.Maybe("NAME", "what to call the snapshot; default two words");
    private readonly Option<string> _message = Opt.Text("--message", "TEXT", "what there is to say of it", "-m");
    private readonly Option<string[]> _label = Opt.Many("--label", "K=V", "label", "-l");
    private readonly Option<bool> _hold = Opt.Flag("--hold", "keep it until it is let go, also when the sandbox is removed");
    private readonly Option<bool> _memory = Opt.Flag("--memory", "its processes and memory too, to go on from (gvisor)");
    private readonly Option<bool> _json = Opt.Json();

    public SnapshotCommand()
        : base("snapshot", "Keeps a sandbox as it is now, running or not; prints the snapshot's name.")
    {
        Arguments.Add(_sandbox);
        Arguments.Add(_name);
        Options.Add(_message);
        Options.Add(_label);
        Options.Add(_hold);
        Options.Add(_memory);
        Options.Add(_json);
    }

    public static Verb Make() => new SnapshotCommand
    {
        Usage = "[flags] SANDBOX [NAME]",
        Examples = [("viv snapshot quiet-fox before-upgrade", "a point to come back to"), ("viv snapshot --hold quiet-fox golden", "one to fork from, whatever becomes of the sandbox"), ("viv snapshot --memory quiet-fox warm", "with all that runs in it")],
    };

    public override int Run(Invocation call)
    {
        var parameters = new SnapshotParams
        {
            Ref = call.Get(_sandbox)!,
            Name = call.Get(_name),
            Message = call.Get(_message),
            Labels = Values.Pairs(call.Get(_label), "--label"),
            Hold = call.Get(_hold),
            Memory = call.Get(_memory),
        };
        using var host = call.Connect();
        var taken = host.Call(HostMethod.SnapshotCreate, parameters, HostJson.Default.SnapshotParams, HostJson.Default.SnapshotInfo);
        if (call.Json)
        {
            JsonOut.Print(call.Output, taken, HostJson.Default.SnapshotInfo);
        }
        else
        {
            call.Output.Line(taken.Name);
        }

        return 0;
    }
}
