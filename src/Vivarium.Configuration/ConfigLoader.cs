using Vivarium.Configuration.Toml;
using Vivarium.Wire.Errors;

namespace Vivarium.Configuration;

/// <summary>Makes a <see cref="VivariumConfig"/> from file, environment and flags, and reports everything that is wrong with them at once.</summary>
public static class ConfigLoader
{
    /// <summary>Loads, or throws <c>invalid_argument</c> (reason <c>invalid_config</c>) with every error on a line of its own.</summary>
    public static VivariumConfig Load(ConfigSources sources)
    {
        var result = Read(sources);
        if (result.Errors.Count == 0)
        {
            return result.Config;
        }

        var lines = string.Join("\n  ", result.Errors);
        throw new VivariumException(
            ErrorCode.InvalidArgument,
            $"the configuration has {(result.Errors.Count == 1 ? "an error" : $"{result.Errors.Count} errors")}:\n  {lines}",
            "correct what is named, then check with 'viv config check'",
            "invalid_config");
    }

    /// <summary>Loads; with errors the configuration holds what could be used and must not be put in force.</summary>
    public static ConfigResult Read(ConfigSources sources) => new ConfigReading(sources, new TomlReader()).Run();
}
