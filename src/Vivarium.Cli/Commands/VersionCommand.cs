using System.CommandLine;
using System.Text.Json;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv version</c>: ours, and the daemon's when it runs.</summary>
internal sealed class VersionCommand : Verb
{
    private readonly Option<bool> _json = Opt.Json();

    public VersionCommand()
        : base("version", "Prints the version of viv, and of the daemon when it runs (it is not started for this).") => Options.Add(_json);

    public static Verb Make() => new VersionCommand { Usage = "[flags]", Examples = [("viv version --json", "for scripts")] };

    public override int Run(Invocation call)
    {
        VersionReply? daemon = null;
        using (var host = call.TryConnect())
        {
            daemon = host?.Call(HostMethod.Version, HostJson.Default.VersionReply, new Interop.ConnectionWait(TimeSpan.FromSeconds(5)));
        }

        if (!call.Json)
        {
            call.Output.Line($"viv {AppVersion.Text}").Line(daemon is null ? "daemon not running" : $"daemon {daemon.Version} (process {daemon.Pid}, API {daemon.Api})");
            return 0;
        }

        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, JsonOut.WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteString("version", AppVersion.Text);
            if (daemon is not null)
            {
                writer.WritePropertyName("daemon");
                JsonSerializer.Serialize(writer, daemon, HostJson.Default.VersionReply);
            }

            writer.WriteEndObject();
        }

        bytes.WriteByte((byte)'\n');
        call.Output.Raw(bytes.ToArray());
        return 0;
    }
}
