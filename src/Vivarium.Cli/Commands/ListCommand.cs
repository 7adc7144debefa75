using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv ls</c>.</summary>
internal sealed class ListCommand : Verb
{
    private readonly Option<string[]> _state = Opt.Many("--state", "WORD", "only sandboxes in this state");
    private readonly Option<string[]> _label = Opt.Many("--label", "K=V", "only sandboxes with this label", "-l");
    private readonly Option<bool> _quiet = Opt.Flag("--quiet", "names only", "-q");
    private readonly Option<bool> _json = Opt.Json();

    public ListCommand()
        : base("ls", "Lists sandboxes, oldest first.")
    {
        Options.Add(_state);
        Options.Add(_label);
        Options.Add(_quiet);
        Options.Add(_json);
    }

    public static Verb Make() => new ListCommand
    {
        Usage = "[flags]",
        Examples = [("viv ls", "all of them"), ("viv ls --state running --label team=a -q", "names of some, for scripts"), ("viv ls --json | jq -r '.sandboxes[].id'", "ids")],
    };

    public override int Run(Invocation call)
    {
        var parameters = new ListParams { States = call.Get(_state) is { Length: > 0 } states ? states : null, Labels = Values.Pairs(call.Get(_label), "--label") };
        using var host = call.Connect();
        var list = host.Call(HostMethod.List, parameters, HostJson.Default.ListParams, HostJson.Default.SandboxList);
        if (call.Json)
        {
            JsonOut.Print(call.Output, list, HostJson.Default.SandboxList);
        }
        else if (call.Get(_quiet))
        {
            foreach (var sandbox in list.Sandboxes)
            {
                call.Output.Line(sandbox.Name);
            }
        }
        else
        {
            Tables.Sandboxes(list.Sandboxes, call.Clock).WriteTo(call.Output);
        }

        return 0;
    }
}
