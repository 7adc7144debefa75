using Vivarium.Cli.Interop;
using Vivarium.Configuration;

namespace Vivarium.Cli.Daemon;

/// <summary>Where the daemon listens.</summary>
internal static class DaemonSocket
{
    public static string PathOf(VivariumConfig config) => Path.Combine(config.Paths.Runtime, "vivd.sock");

    public static HostConnection? TryConnect(VivariumConfig config) =>
        UnixConnection.TryConnect(PathOf(config)) is { } connection ? new HostConnection(connection) : null;
}
