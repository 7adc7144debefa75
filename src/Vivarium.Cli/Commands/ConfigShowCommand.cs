using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv config show</c>: values in force and where each comes from.</summary>
internal sealed class ConfigShowCommand : Verb
{
    private readonly Option<bool> _daemon = Opt.Flag("--daemon", "what the running daemon has in force, rather than what is written now");
    private readonly Option<bool> _json = Opt.Json();

    public ConfigShowCommand()
        : base("show", "Shows every setting with its value and where that comes from.")
    {
        Options.Add(_daemon);
        Options.Add(_json);
    }

    public static Verb Make() => new ConfigShowCommand { Usage = "[flags]", Examples = [("viv config show --daemon", "after editing, to see whether it needs a restart")] };

    public override int Run(Invocation call)
    {
        var config = call.Get(_daemon) ? OfDaemon(call) : OfThisProcess(call);
        if (call.Json)
        {
            JsonOut.Print(call.Output, config, HostJson.Default.ConfigReply);
            return 0;
        }

        var table = new Table("KEY", "VALUE", "SOURCE");
        foreach (var entry in config.Entries)
        {
            table.Add(entry.Key, entry.Value, new Cell(entry.Source, entry.Source == "default" ? Style.Faint : null));
        }

        table.WriteTo(call.Output);
        return 0;
    }

    internal static ConfigReply OfThisProcess(Invocation call) => new()
    {
        Files = call.Config.Files,
        Entries = [.. call.Config.Settings.Select(setting => new ConfigEntry { Key = setting.Key, Value = setting.Value, Source = setting.Source })],
    };

    private static ConfigReply OfDaemon(Invocation call)
    {
        using var host = call.Connect();
        return host.Call(HostMethod.Config, HostJson.Default.ConfigReply);
    }
}
