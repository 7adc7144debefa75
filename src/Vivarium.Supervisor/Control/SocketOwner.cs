using System.Runtime.InteropServices;

namespace Vivarium.Supervisor.Control;

/// <summary>Gives a socket the group of its directory, which is how the administrator says who may connect. Sources: statx(2), lchown(2).</summary>
internal static partial class SocketOwner
{
    private const int AT_FDCWD = -100;
    private const uint STATX_GID = 0x10;
    private const int StatxBytes = 256;
    private const int GidOffset = 24;

    public static unsafe void TakeGroupOfDirectory(string path)
    {
        var stat = stackalloc byte[StatxBytes];

        // SAFETY: struct statx is 256 bytes, and the kernel fills no more.
        if (Statx(AT_FDCWD, Path.GetDirectoryName(path)!, 0, STATX_GID, stat) == 0)
        {
            // Where it fails (not our group, not root) the socket stays our own user's: closed rather than open.
            _ = LChown(path, uint.MaxValue, *(uint*)(stat + GidOffset));
        }
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Statx(int directory, string path, int flags, uint mask, byte* result);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LChown(string path, uint uid, uint gid);
}
