using System.Net.Sockets;
using System.Text;
using Vivarium.Host.Access;
using Vivarium.Wire.Errors;

namespace Vivarium.Daemon.Listening;

/// <summary>Binds the API socket, 0660 for the group when there is one, else 0600.</summary>
internal static class ApiSocket
{
    private const int MaxPath = 107;
    private const int Backlog = 1024;

    /// <summary>Binds and listens. The caller holds the runtime directory's lock, so a socket file that is there belongs to a dead daemon and is replaced.</summary>
    public static Socket Bind(string path, uint? group)
    {
        if (Encoding.UTF8.GetByteCount(path) > MaxPath)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"starting the daemon: the socket path {path} is longer than {MaxPath} bytes", "Choose a shorter paths.runtime.", "path_too_long");
        }

        // Bound under another name and renamed when its mode is right: nobody finds it half-done, and there is no moment without a socket.
        var fresh = path + ".n";
        File.Delete(fresh);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint(fresh));
            SocketGroup.Hand(fresh, group, UnixFileMode.UserRead | UnixFileMode.UserWrite, UnixFileMode.GroupRead | UnixFileMode.GroupWrite);
            socket.Listen(Backlog);
            File.Move(fresh, path, overwrite: true);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
