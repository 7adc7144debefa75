using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv config</c>.</summary>
internal static class ConfigCommand
{
    public static Verb Make() => new VerbGroup(
        "config",
        "The configuration: a file, then VIVARIUM_SECTION_KEY variables.",
        ConfigShowCommand.Make(),
        ConfigDumpCommand.Make(),
        ConfigCheckCommand.Make(),
        ConfigPathCommand.Make())
    {
        Usage = "COMMAND",
        Examples = [("viv config check", "every error with file and line"), ("viv config dump > config.toml", "a complete file to start from")],
    };
}
