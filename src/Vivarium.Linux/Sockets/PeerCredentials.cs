using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Vivarium.Linux.Sockets;

/// <summary>Who is at the other end of a Unix socket, as of the moment it connected; the kernel vouches for it. Source: SO_PEERCRED in unix(7).</summary>
public readonly record struct PeerCredentials(int Pid, uint Uid, uint Gid)
{
    private const int SOL_SOCKET = 1;
    private const int SO_PEERCRED = 17;

    /// <summary>Of a connected socket.</summary>
    public static PeerCredentials Of(Socket socket)
    {
        Span<byte> raw = stackalloc byte[12];
        socket.GetRawSocketOption(SOL_SOCKET, SO_PEERCRED, raw);
        var fields = MemoryMarshal.Cast<byte, int>(raw);
        return new PeerCredentials(fields[0], (uint)fields[1], (uint)fields[2]);
    }
}
