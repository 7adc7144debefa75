using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Vivarium.Supervisor.Streams;

/// <summary>
/// Whether the peer of a Unix socket has closed it altogether rather than only ended its writes: the kernel reports a hang-up only for the first.
/// Source: POLLHUP and POLLRDHUP in poll(2).
/// </summary>
internal static partial class PeerGone
{
    private const short POLLHUP = 0x10;
    private const short POLLERR = 0x08;

    public static unsafe bool Check(Socket socket)
    {
        var handle = socket.SafeHandle;
        var held = false;
        try
        {
            handle.DangerousAddRef(ref held);
            var entry = new PollEntry { Fd = (int)handle.DangerousGetHandle() };

            // SAFETY: one entry on this stack; the descriptor is referenced until the call returns. A zero timeout never blocks.
            return Poll(&entry, 1, 0) > 0 && (entry.Returned & (POLLHUP | POLLERR)) != 0;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
        finally
        {
            if (held)
            {
                handle.DangerousRelease();
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static unsafe partial int Poll(PollEntry* entries, nuint count, int timeoutMs);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Fd;
        public short Events;
        public short Returned;
    }
}
