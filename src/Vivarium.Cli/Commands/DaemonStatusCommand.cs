using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv daemon status</c>: exit code 0 when it runs, 1 when not.</summary>
internal sealed class DaemonStatusCommand : Verb
{
    private readonly Option<bool> _json = Opt.Json();

    public DaemonStatusCommand()
        : base("status", "Shows whether the daemon runs, and what it knows. Exit code 0 when it runs, 1 when not; it is not started.") => Options.Add(_json);

    public static Verb Make() => new DaemonStatusCommand { Usage = "[flags]" };

    public override int Run(Invocation call)
    {
        using var host = call.TryConnect();
        var version = host is null ? null : DaemonState.Version(host);
        var info = host?.Call(HostMethod.Info, HostJson.Default.SystemInfo, DaemonState.Patience());
        if (call.Json)
        {
            PrintJson(call, version, info);
        }
        else
        {
            var fields = new Fields(call.Output);
            fields.Add("daemon", version is null ? "not running" : "running", Style.ForState(version is null ? "stopped" : "running"));
            fields.Add("version", version?.Version);
            fields.Add("process", version?.Pid.ToString(CultureInfo.InvariantCulture));
            fields.Add("up", info is null ? null : Humanize.Age(TimeSpan.FromMilliseconds(info.UptimeMs)));
            fields.Add("socket", DaemonSocket.PathOf(call.Config));
            fields.Add("state", call.Config.Paths.State);
            fields.Add("log", DaemonStarter.LogPath(call.Config));
            fields.Add("http", info?.Http);
            if (info is not null)
            {
                fields.Add("sandboxes", $"{info.Sandboxes}, {info.Running} running");
                fields.Add("volumes", $"{info.VolumeStore}, {Humanize.Bytes(info.PoolFreeBytes)} of {Humanize.Bytes(info.PoolTotalBytes)} free");
                foreach (var engine in info.Engines)
                {
                    fields.Add("engine", $"{engine.Engine} {engine.Version} for {engine.Runtime}: {(engine.Works ? "works" : "does not work")}{(engine.Default ? ", default" : "")}{(engine.Works || engine.Detail is null ? "" : $" ({engine.Detail})")}");
                }
            }
        }

        return host is null ? 1 : 0;
    }

    private static void PrintJson(Invocation call, VersionReply? version, SystemInfo? info)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, JsonOut.WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteBoolean("running", version is not null);
            writer.WriteString("socket", DaemonSocket.PathOf(call.Config));
            writer.WriteString("log", DaemonStarter.LogPath(call.Config));
            if (version is not null && info is not null)
            {
                writer.WritePropertyName("version");
                JsonSerializer.Serialize(writer, version, HostJson.Default.VersionReply);
                writer.WritePropertyName("info");
                JsonSerializer.Serialize(writer, info, HostJson.Default.SystemInfo);
            }

            writer.WriteEndObject();
        }

        bytes.WriteByte((byte)'\n');
        call.Output.Raw(bytes.ToArray());
    }
}
