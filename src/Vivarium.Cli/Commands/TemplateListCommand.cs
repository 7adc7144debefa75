using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv template ls</c>.</summary>
internal sealed class TemplateListCommand : Verb
{
    private readonly Option<bool> _json = Opt.Json();

    public TemplateListCommand()
        : base("ls", "Lists templates, also those made on first use.") => Options.Add(_json);

    public static Verb Make() => new TemplateListCommand { Usage = "[flags]" };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        var list = host.Call(HostMethod.TemplateList, HostJson.Default.TemplateList);
        if (call.Json)
        {
            JsonOut.Print(call.Output, list, HostJson.Default.TemplateList);
        }
        else
        {
            Tables.Templates(list.Templates, call.Clock).WriteTo(call.Output);
        }

        return 0;
    }
}
