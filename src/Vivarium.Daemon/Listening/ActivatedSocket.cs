using System.Globalization;
using System.Net.Sockets;
using Vivarium.Linux.Sockets;
using Vivarium.Wire.Errors;

namespace Vivarium.Daemon.Listening;

/// <summary>
/// The API socket when the service manager has made it and starts the daemon with the first connection: connections that come while it starts, or is started anew, wait
/// in the socket instead of being refused. Source: sd_listen_fds(3).
/// </summary>
internal static class ActivatedSocket
{
    private const int First = 3;

    /// <summary>The socket handed over to this process; null when none was. The variables are taken out of the environment: they are for nobody else.</summary>
    /// <exception cref="VivariumException">invalid_argument <c>bad_activation</c>: it is not the one of this daemon.</exception>
    public static Socket? Take(string path)
    {
        var (pid, count) = (Remove("LISTEN_PID"), Remove("LISTEN_FDS"));
        Remove("LISTEN_FDNAMES");
        if (count is null || pid != Environment.ProcessId.ToString(CultureInfo.InvariantCulture))
        {
            return null;
        }

        if (count != "1")
        {
            throw Bad($"{count} sockets were handed over", path);
        }

        if (!InheritedDescriptor.KeepFromChildren(First))
        {
            throw Bad("a socket was announced and not handed over", path);
        }

        var socket = new Socket(new SafeSocketHandle(First, ownsHandle: true));
        if (socket is { AddressFamily: AddressFamily.Unix, SocketType: SocketType.Stream, LocalEndPoint: { } bound } && bound.ToString() == path && IsListening(socket))
        {
            return socket;
        }

        var what = $"the socket handed over is not a listening stream socket at that path but {socket.AddressFamily} {socket.SocketType} at '{socket.LocalEndPoint}'";
        socket.Dispose();
        throw Bad(what, path);
    }

    private static bool IsListening(Socket socket) => socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.AcceptConnection) is int and not 0;

    private static string? Remove(string variable)
    {
        var value = Environment.GetEnvironmentVariable(variable);
        Environment.SetEnvironmentVariable(variable, null);
        return value;
    }

    private static VivariumException Bad(string what, string path) => new(
        ErrorCode.InvalidArgument,
        $"starting the daemon: {what}; it listens on {path} (paths.runtime)",
        "Give vivarium.socket exactly one ListenStream= with that path, or disable it: systemctl disable --now vivarium.socket",
        "bad_activation");
}
