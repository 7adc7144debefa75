using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv template tag</c>.</summary>
internal sealed class TemplateTagCommand : Verb
{
    private readonly Argument<string> _template = Opt.One("TEMPLATE", "name or digest");
    private readonly Argument<string> _name = Opt.One("NAME", "further name: a-z, 0-9 and '-'");
    private readonly Option<bool> _replace = Opt.Flag("--replace", "a name that is taken then means this template");
    private readonly Option<bool> _json = Opt.Json();

    public TemplateTagCommand()
        : base("tag", "Gives a template a further name. 'viv template rm' of one of several names takes only the name away.")
    {
        Arguments.Add(_template);
        Arguments.Add(_name);
        Options.Add(_replace);
        Options.Add(_json);
    }

    public static Verb Make() => new TemplateTagCommand { Usage = "[flags] TEMPLATE NAME", Examples = [("viv template tag app app-2026-11", "keep this one when app moves on")] };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        var parameters = new TagParams { Ref = call.Get(_template)!, Name = call.Get(_name)!, Replace = call.Get(_replace) };
        var template = host.Call(HostMethod.TemplateTag, parameters, HostJson.Default.TagParams, HostJson.Default.TemplateInfo);
        if (call.Json)
        {
            JsonOut.Print(call.Output, template, HostJson.Default.TemplateInfo);
        }
        else
        {
            call.Output.Line(template.Digest);
        }

        return 0;
    }
}
