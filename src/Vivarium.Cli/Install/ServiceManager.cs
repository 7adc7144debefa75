using Vivarium.Linux.Processes;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Install;

/// <summary>systemd, where it runs this machine.</summary>
internal static class ServiceManager
{
    public const string Program = "systemctl";

    /// <summary>Source: sd_booted(3).</summary>
    public static bool IsThere => Directory.Exists("/run/systemd/system");

    /// <summary>Whether the socket unit is enabled, so that a connection starts the daemon.</summary>
    public static bool StartsOnConnection => IsThere && Path.Exists("/etc/systemd/system/sockets.target.wants/" + InstallLayout.SocketUnitName);

    private static readonly TimeSpan StartTime = TimeSpan.FromMinutes(2);

    /// <summary>
    /// Whether the daemon asked for is the machine's own and the unit is installed, so that systemd starts it: started by hand it would live in somebody's
    /// login session. A configuration file or variable of the caller's means another daemon.
    /// </summary>
    public static bool Owns(string? configFile) =>
        IsThere && configFile is null && Environment.IsPrivilegedProcess && File.Exists("/etc/systemd/system/" + InstallLayout.UnitName)
        && !Environment.GetEnvironmentVariables().Keys.Cast<string>().Any(static name => name.StartsWith("VIVARIUM_", StringComparison.Ordinal));

    /// <summary>Starts the unit; returns when the daemon has said that it is ready.</summary>
    public static void Start()
    {
        // A command line program that has nothing else to do meanwhile.
        var output = ChildRun.RunAsync(Program, ["start", InstallLayout.UnitName], new ChildRunOptions { Timeout = StartTime }, CancellationToken.None).GetAwaiter().GetResult();
        if (!output.Succeeded)
        {
            throw new VivariumException(ErrorCode.Unavailable, $"systemd did not start the daemon: {output.Summary}", $"journalctl -u {InstallLayout.UnitName} -e", "daemon_start_failed");
        }
    }
}
