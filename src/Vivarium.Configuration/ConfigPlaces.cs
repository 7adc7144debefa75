using System.Diagnostics.CodeAnalysis;

namespace Vivarium.Configuration;

/// <summary>Where things are when nobody says otherwise: system directories for root, XDG directories for others.</summary>
public static class ConfigPlaces
{
    /// <summary>The variable that names the file.</summary>
    public const string FileVariable = "VIVARIUM_CONFIG";

    /// <summary>The file to read and whether it must exist.</summary>
    public static (string Path, bool Required) File(ConfigSources sources)
    {
        if (sources.File is { } named)
        {
            return (named, true);
        }

        if (Set(sources, FileVariable, out var variable))
        {
            return (variable, true);
        }

        return (sources.Privileged ? "/etc/vivarium/config.toml" : Path.Combine(Xdg(sources, "XDG_CONFIG_HOME", ".config"), "vivarium/config.toml"), false);
    }

    /// <summary>The defaults for this user.</summary>
    public static VivariumConfig Defaults(ConfigSources sources)
    {
        var config = new VivariumConfig();
        if (sources.Privileged)
        {
            return config;
        }

        var runtime = Set(sources, "XDG_RUNTIME_DIR", out var directory) && Path.IsPathRooted(directory)
            ? Path.Combine(directory, "vivarium")
            : Path.Combine(Xdg(sources, "XDG_STATE_HOME", ".local/state"), "vivarium/run");
        return config with
        {
            Paths = config.Paths with { State = Path.Combine(Xdg(sources, "XDG_STATE_HOME", ".local/state"), "vivarium"), Runtime = runtime },
        };
    }

    private static string Xdg(ConfigSources sources, string variable, string belowHome) =>
        Set(sources, variable, out var directory) && Path.IsPathRooted(directory)
            ? directory
            : Path.Combine(Set(sources, "HOME", out var home) && Path.IsPathRooted(home) ? home : "/", belowHome);

    private static bool Set(ConfigSources sources, string variable, [NotNullWhen(true)] out string? value) =>
        sources.Environment.TryGetValue(variable, out value) && value.Length > 0;
}
