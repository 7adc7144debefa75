using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Vivarium.Supervisor.Control;

/// <summary>Who is at the other end of a Unix socket. Source: SO_PEERCRED in unix(7).</summary>
/// <param name="Pid">Process.</param>
/// <param name="Uid">User.</param>
internal readonly partial record struct PeerIdentity(int Pid, uint Uid)
{
    private const int SOL_SOCKET = 1;
    private const int SO_PEERCRED = 17;

    private static readonly uint OwnUid = GetEuid();

    /// <summary>Whether it runs as the same user as this process.</summary>
    public bool IsOwner => Uid == OwnUid;

    public static PeerIdentity Of(Socket socket)
    {
        Span<byte> credentials = stackalloc byte[12]; // pid, uid, gid
        var length = socket.GetRawSocketOption(SOL_SOCKET, SO_PEERCRED, credentials);
        return length == credentials.Length
            ? new PeerIdentity(BinaryPrimitives.ReadInt32LittleEndian(credentials), BinaryPrimitives.ReadUInt32LittleEndian(credentials[4..]))
            : throw new SocketException((int)SocketError.InvalidArgument);
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEuid();
}
