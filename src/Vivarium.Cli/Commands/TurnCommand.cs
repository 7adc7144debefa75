using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv turn</c>: closes a turn of an agent.</summary>
internal sealed class TurnCommand : Verb
{
    private readonly Argument<string> _sandbox = Opt.One("SANDBOX", "name, id or unambiguous prefix");
    private readonly Argument<string?> _label = Opt.Maybe("LABEL", "what the turn did, in a few words");
    private readonly Option<string> _message = Opt.Text("--message", "TEXT", "what there is to say of it", "-m");
    private readonly Option<bool> _json = Opt.Json();

    public TurnCommand()
        : base("turn", "Completes a turn: takes its snapshot and prints its number and what changed. A turn that changed nothing costs nothing.")
    {
        Arguments.Add(_sandbox);
        Arguments.Add(_label);
        Options.Add(_message);
        Options.Add(_json);
    }

    public static Verb Make() => new TurnCommand
    {
        Usage = "[flags] SANDBOX [LABEL]",
        Examples = [("viv turn quiet-fox 'fix the parser'", "after an agent's step"), ("viv turn --json quiet-fox | jq .changes", "what it changed, for scripts")],
    };

    public override int Run(Invocation call)
    {
        var parameters = new TurnParams { Ref = call.Get(_sandbox)!, Label = call.Get(_label), Message = call.Get(_message) };
        using var host = call.Connect();
        var taken = host.Call(HostMethod.TurnComplete, parameters, HostJson.Default.TurnParams, HostJson.Default.SnapshotInfo);
        if (call.Json)
        {
            JsonOut.Print(call.Output, taken, HostJson.Default.SnapshotInfo);
        }
        else
        {
            call.Output.Line($"{taken.Name}  {SnapshotTree.Changes(taken)}");
        }

        return 0;
    }
}
