using System.CommandLine;
using System.Globalization;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv template show</c>.</summary>
internal sealed class TemplateShowCommand : Verb
{
    private readonly Argument<string[]> _templates = Opt.Some("TEMPLATE…", "name or digest");
    private readonly Option<bool> _json = Opt.Json();

    public TemplateShowCommand()
        : base("show", "Shows everything known about templates.")
    {
        Arguments.Add(_templates);
        Options.Add(_json);
    }

    public static Verb Make() => new TemplateShowCommand { Usage = "[flags] TEMPLATE…", Examples = [("viv template show base", "size, digest, defaults")] };

    public override int Run(Invocation call)
    {
        using var host = call.Connect();
        return References.ForEach([.. call.Get(_templates)!], call, reference =>
        {
            var template = host.Call(HostMethod.TemplateGet, new RefParams { Ref = reference }, HostJson.Default.RefParams, HostJson.Default.TemplateInfo);
            if (call.Json)
            {
                JsonOut.Print(call.Output, template, HostJson.Default.TemplateInfo);
                return;
            }

            var built = template.Status == "ready";
            var fields = new Fields(call.Output);
            fields.Add("name", template.Name);
            fields.Add("digest", template.Digest);
            fields.Add("status", template.Status, Style.ForState(template.Status));
            fields.Add("description", template.Description);
            fields.Add("size", built ? Humanize.Bytes(template.SizeBytes) : null);
            fields.Add("files", built ? template.Entries.ToString(CultureInfo.InvariantCulture) : null);
            fields.Add("created", built ? Humanize.Time(template.CreatedUnixMs, call.Clock) : null);
            fields.Add("used by", template.References.ToString(CultureInfo.InvariantCulture));
            fields.Add("user", template.User);
            fields.Add("directory", template.Workdir);
            fields.Add("platform", template.Platform);
            fields.Add("entrypoint", template.Entrypoint is { } entrypoint ? string.Join(' ', entrypoint) : null);
            fields.Add("command", template.Command is { } command ? string.Join(' ', command) : null);
            fields.Add("ports", template.ExposedPorts is { } ports ? string.Join(' ', ports) : null);
            foreach (var (key, value) in template.Labels ?? new Dictionary<string, string>())
            {
                fields.Add("label", $"{key}={value}");
            }

            foreach (var (key, value) in template.Env ?? new Dictionary<string, string>())
            {
                fields.Add("env", $"{key}={value}");
            }
        });
    }
}
