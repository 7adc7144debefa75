using Vivarium.Cli.Parsing;
using Vivarium.Configuration;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv config path</c>.</summary>
internal sealed class ConfigPathCommand() : Verb("path", "Prints the path of the configuration file in use, or of the one that would be read if it existed.")
{
    public static Verb Make() => new ConfigPathCommand { Usage = "[flags]", Examples = [("\"$EDITOR\" \"$(viv config path)\"", "edit it")] };

    public override int Run(Invocation call)
    {
        call.Output.Line(ConfigPlaces.File(ConfigSources.OfThisProcess(call.ConfigFile)).Path);
        return 0;
    }
}
