using System.Net.Sockets;
using System.Text;
using Vivarium.Linux.Files;

namespace Vivarium.Linux.Sockets;

/// <summary>Unix stream sockets bound without surprises. Source: unix(7).</summary>
public static class UnixSocket
{
    /// <summary>Longest path in bytes; one more is the terminating NUL.</summary>
    public const int MaxPathBytes = 107;

    // While it is bound under this name its mode is still the umask's.
    private const string Unready = "~";

    /// <summary>Refuses a path that is too long before it becomes a riddle.</summary>
    /// <exception cref="LinuxException">ENAMETOOLONG.</exception>
    public static void CheckPath(string path)
    {
        if (Encoding.UTF8.GetByteCount(path) > MaxPathBytes)
        {
            throw new LinuxException($"use socket path (at most {MaxPathBytes} bytes)", path, Errno.ENAMETOOLONG);
        }
    }

    /// <summary>
    /// Listens at <paramref name="path"/>. A socket left behind by a dead process is replaced; one that answers is not. The name appears with its
    /// mode and group already right.
    /// </summary>
    /// <param name="path">At most 106 bytes (one is needed for a temporary name beside it).</param>
    /// <param name="mode">Who may connect (writing is what counts).</param>
    /// <param name="gid">Group of the socket file, null for ours.</param>
    /// <param name="backlog">Connections that may wait.</param>
    /// <exception cref="LinuxException">EADDRINUSE: somebody answers there, or it is no socket.</exception>
    public static Socket Listen(string path, UnixFileMode mode, uint? gid = null, int backlog = 512)
    {
        CheckPath(path + Unready);
        if (FileStatus.Find(path, follow: false) is { } existing && (existing.Kind != FileKind.Socket || Answers(path)))
        {
            throw new LinuxException("listen on", path, Errno.EADDRINUSE);
        }

        var unready = path + Unready;
        File.Delete(unready);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint(unready));
            File.SetUnixFileMode(unready, mode);
            if (gid is { } group)
            {
                FileChanges.Chown(unready, uint.MaxValue, group);
            }

            socket.Listen(backlog);
            FileChanges.Rename(unready, path);
            return socket;
        }
        catch
        {
            socket.Dispose();
            File.Delete(unready);
            throw;
        }
    }

    /// <summary>Whether a process listens there now.</summary>
    public static bool Answers(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode is SocketError.WouldBlock; // listening, with a full queue
        }
    }
}
