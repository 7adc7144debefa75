using System.CommandLine;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv config dump</c>: the configuration as a TOML file that reads back to itself.</summary>
internal sealed class ConfigDumpCommand : Verb
{
    private readonly Option<bool> _json = Opt.Json();

    public ConfigDumpCommand()
        : base("dump", "Prints the configuration in force as a TOML file, each key with its meaning and source.") => Options.Add(_json);

    public static Verb Make() => new ConfigDumpCommand { Usage = "[flags]", Examples = [("viv config dump > config.toml", "a complete file to start from")] };

    public override int Run(Invocation call)
    {
        if (call.Json)
        {
            JsonOut.Print(call.Output, ConfigShowCommand.OfThisProcess(call), HostJson.Default.ConfigReply);
            return 0;
        }

        var section = "";
        foreach (var setting in call.Config.Settings)
        {
            var dot = setting.Key.IndexOf('.', StringComparison.Ordinal);
            if (setting.Key[..dot] != section)
            {
                call.Output.Write(section.Length == 0 ? "" : "\n");
                section = setting.Key[..dot];
                call.Output.Line($"[{section}]");
            }

            call.Output.Line($"# {setting.Description}{(setting.Source == "default" ? "" : $" From {setting.Source}.")}");
            call.Output.Line($"{setting.Key[(dot + 1)..]} = {setting.Value}");
        }

        return 0;
    }
}
