namespace Vivarium.Cli.Install;

/// <summary>systemd, where it runs this machine.</summary>
internal static class ServiceManager
{
    public const string Program = "systemctl";

    /// <summary>Source: sd_booted(3).</summary>
    public static bool IsThere => Directory.Exists("/run/systemd/system");
}
