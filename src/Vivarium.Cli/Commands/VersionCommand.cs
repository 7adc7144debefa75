using System.CommandLine;
using System.Text.Json;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv version</c>: ours, the daemon's when it runs, and those of supervisors: after an upgrade they differ until their sandboxes are stopped.</summary>
internal sealed class VersionCommand : Verb
{
    private readonly Option<bool> _json = Opt.Json();

    public VersionCommand()
        : base("version", "Prints the version of viv, of the daemon when it runs (it is not started for this), and of supervisors that are of another.") => Options.Add(_json);

    public static Verb Make() => new VersionCommand { Usage = "[flags]", Examples = [("viv version --json", "for scripts")] };

    public override int Run(Invocation call)
    {
        VersionReply? daemon = null;
        SortedDictionary<string, int> supervisors = new(StringComparer.Ordinal);
        using (var host = call.TryConnect())
        {
            if (host is not null)
            {
                daemon = host.Call(HostMethod.Version, HostJson.Default.VersionReply, new ConnectionWait(TimeSpan.FromSeconds(5)));
                supervisors = Supervisors(host);
            }
        }

        if (!call.Json)
        {
            call.Output.Line($"viv {AppVersion.Text}").Line(daemon is null ? "daemon not running" : $"daemon {daemon.Version} (process {daemon.Pid}, API {daemon.Api})");
            if (daemon is not null && daemon.Version != AppVersion.Text)
            {
                call.Output.Line("  another version than viv: 'viv daemon restart' starts the one beside viv, sandboxes go on");
            }

            foreach (var (version, count) in supervisors.Where(entry => entry.Key != daemon?.Version))
            {
                call.Output.Line($"supervisor {Style.Safe(version)} of {count} running sandbox{(count == 1 ? "" : "es")}, which go{(count == 1 ? "es" : "")} on as started; 'viv restart NAME' starts one with the new version");
            }

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
                writer.WriteStartObject("supervisors");
                foreach (var (version, count) in supervisors)
                {
                    writer.WriteNumber(version, count);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        bytes.WriteByte((byte)'\n');
        call.Output.Raw(bytes.ToArray());
        return 0;
    }

    /// <summary>How many run of each version.</summary>
    private static SortedDictionary<string, int> Supervisors(HostConnection host)
    {
        var list = host.Call(HostMethod.List, new ListParams(), HostJson.Default.ListParams, HostJson.Default.SandboxList);
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var version in list.Sandboxes.Select(sandbox => sandbox.SupervisorVersion).OfType<string>())
        {
            counts[version] = counts.GetValueOrDefault(version) + 1;
        }

        return counts;
    }
}
