using System.CommandLine;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv template rm</c>.</summary>
internal sealed class TemplateRemoveCommand : Verb
{
    private readonly Argument<string[]> _templates = Opt.Some("TEMPLATE…", "name or digest");
    private readonly Option<bool> _json = Opt.Json();

    public TemplateRemoveCommand()
        : base("rm", "Removes templates that no sandbox uses; of one with several names only the name given.")
    {
        Arguments.Add(_templates);
        Options.Add(_json);
    }

    public static Verb Make() => new TemplateRemoveCommand { Usage = "[flags] TEMPLATE…", Examples = [("viv template rm tiny", "it is built again when it is needed")] };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        return References.ForEach([.. call.Get(_templates)!], call, reference =>
        {
            host.Call(HostMethod.TemplateRemove, new RemoveTemplateParams { Ref = reference }, HostJson.Default.RemoveTemplateParams, HostJson.Default.Empty);
            if (!call.Json)
            {
                call.Output.Line(reference);
            }
        });
    }
}
