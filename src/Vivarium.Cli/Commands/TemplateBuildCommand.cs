using System.CommandLine;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Terminal;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv template build</c>. An interrupt cancels the build.</summary>
internal sealed class TemplateBuildCommand : Verb
{
    private readonly Argument<string> _recipe = Opt.One("RECIPE", "tiny (busybox) or base (Debian with the usual tools)");
    private readonly Option<string> _name = Opt.Text("--name", "NAME", "name to give it; default the recipe's");
    private readonly Option<bool> _rebuild = Opt.Flag("--rebuild", "build also when it exists; the name then means the new one");
    private readonly Option<bool> _quiet = Opt.Flag("--quiet", "no progress", "-q");
    private readonly Option<bool> _json = Opt.Json();

    public TemplateBuildCommand()
        : base("build", "Builds a template from a recipe; prints its digest.")
    {
        Arguments.Add(_recipe);
        foreach (var option in new Option[] { _name, _rebuild, _quiet, _json })
        {
            Options.Add(option);
        }
    }

    public static Verb Make() => new TemplateBuildCommand
    {
        Usage = "[flags] RECIPE",
        Examples = [("viv template build tiny", "a second"), ("viv template build --rebuild base", "with today's packages")],
    };

    public override int Run(Invocation call)
    {
        var parameters = new BuildParams { Recipe = call.Get(_recipe)!, Name = call.Get(_name), Rebuild = call.Get(_rebuild) };
        using var signals = SignalPipe.ForInterrupts();
        using var host = call.Connect();
        using var progress = new Progress(call.Messages, $"building template {parameters.Name ?? parameters.Recipe}", call.Get(_quiet));
        var begun = host.Call(HostMethod.BeginTemplateBuild, parameters, HostJson.Default.BuildParams, HostJson.Default.BeginReply);
        var operation = new OperationParams { OperationId = begun.OperationId };
        try
        {
            var ended = SandboxCreation.Succeeded(host.Call(
                HostMethod.OperationWait, operation, HostJson.Default.OperationParams, HostJson.Default.OperationInfo, new ConnectionWait(null, signals, progress.Tick), progress.Report));
            progress.Dispose();
            var reference = new RefParams { Ref = ended.TemplateDigest ?? parameters.Name ?? parameters.Recipe };
            var template = host.Call(HostMethod.TemplateGet, reference, HostJson.Default.RefParams, HostJson.Default.TemplateInfo);
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
        catch (InterruptedException)
        {
            using var another = call.Connect();
            another.Call(HostMethod.OperationCancel, operation, HostJson.Default.OperationParams, HostJson.Default.OperationInfo, new ConnectionWait(TimeSpan.FromSeconds(10)));
            throw;
        }
    }
}
