using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Netlink;

/// <summary>
/// A netlink socket in the network namespace of the thread that opened it. A request is answered by the kernel before it returns, so calls are
/// synchronous and short; a receive time-out bounds them all the same. Not for several threads at once. Source: netlink(7).
/// </summary>
internal sealed partial class NetlinkSocket : IDisposable
{
    public const int Route = 0;
    public const int Netfilter = 12;

    private const int AF_NETLINK = 16;
    private const int SOCK_RAW = 3;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int SOL_SOCKET = 1;
    private const int SO_RCVTIMEO = 20;
    private const int SecondsToWait = 10;
    private const ushort NLMSG_ERROR = 2;
    private const ushort NLMSG_DONE = 3;

    private readonly SafeFileHandle socket;
    private readonly byte[] buffer = new byte[64 * 1024];
    private uint sequence;

    public unsafe NetlinkSocket(int protocol)
    {
        var fd = Socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
        Libc.Check(fd, "open a netlink socket", null);
        socket = new SafeFileHandle(fd, ownsHandle: true);
        var wait = stackalloc long[2] { SecondsToWait, 0 };
        // SAFETY: struct timeval is two 64-bit numbers on 64-bit systems; its size is passed.
        Libc.Check(SetOption(socket, SOL_SOCKET, SO_RCVTIMEO, wait, 16), "set the time-out of a netlink socket", null);
    }

    /// <summary>Sends a request and waits for the kernel's yes.</summary>
    /// <exception cref="LinuxException">Its no.</exception>
    public void Do(NetlinkMessage message, string what, string? on)
    {
        Send(message, what, on);
        Receive(what, on, static _ => { });
    }

    /// <summary>As <see cref="Do"/>, but these error numbers are a yes too; returns whether it was done now.</summary>
    public bool TryDo(NetlinkMessage message, string what, string? on, params ReadOnlySpan<int> allowed)
    {
        try
        {
            Do(message, what, on);
            return true;
        }
        catch (LinuxException e) when (allowed.Contains(e.Errno))
        {
            return false;
        }
    }

    /// <summary>Sends a dump (or a get) and returns everything that comes.</summary>
    public List<NetlinkReply> Ask(NetlinkMessage message, string what, string? on)
    {
        var all = new List<NetlinkReply>();
        Send(message, what, on);
        Receive(what, on, all.Add);
        return all;
    }

    public void Dispose() => socket.Dispose();

    private unsafe void Send(NetlinkMessage message, string what, string? on)
    {
        var bytes = message.Finish(++sequence);
        // SAFETY: the span is pinned for the call and its length is passed.
        fixed (byte* p = bytes)
        {
            nint sent;
            do
            {
                sent = SendRaw(socket, p, (nuint)bytes.Length, 0);
            }
            while (sent < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
            if (sent < 0)
            {
                throw LinuxException.Last(what, on);
            }
        }
    }

    private unsafe void Receive(string what, string? on, Action<NetlinkReply> take)
    {
        while (true)
        {
            nint got;
            // SAFETY: the array is pinned for the call and its length is passed.
            fixed (byte* p = buffer)
            {
                got = RecvRaw(socket, p, (nuint)buffer.Length, 0);
            }

            if (got < 0)
            {
                if (Marshal.GetLastPInvokeError() == Errno.EINTR)
                {
                    continue;
                }

                throw LinuxException.Last(what, on);
            }

            for (var rest = buffer.AsMemory(0, (int)got); rest.Length >= NetlinkMessage.HeaderLength;)
            {
                var size = BinaryPrimitives.ReadInt32LittleEndian(rest.Span);
                if (size < NetlinkMessage.HeaderLength || size > rest.Length)
                {
                    return;
                }

                var type = BinaryPrimitives.ReadUInt16LittleEndian(rest.Span[4..]);
                var ours = BinaryPrimitives.ReadUInt32LittleEndian(rest.Span[8..]) == sequence;
                var payload = rest[NetlinkMessage.HeaderLength..size];
                rest = rest[Math.Min(rest.Length, (size + 3) & ~3)..];
                if (!ours)
                {
                    continue; // of an earlier request that was given up
                }

                if (type == NLMSG_DONE)
                {
                    return;
                }

                if (type == NLMSG_ERROR)
                {
                    var errno = -BinaryPrimitives.ReadInt32LittleEndian(payload.Span);
                    if (errno != 0)
                    {
                        throw new LinuxException(what, on, errno);
                    }

                    return;
                }

                take(new NetlinkReply(type, payload.ToArray()));
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    private static unsafe partial int SetOption(SafeHandle socket, int level, int name, void* value, uint length);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static unsafe partial nint SendRaw(SafeHandle socket, void* data, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static unsafe partial nint RecvRaw(SafeHandle socket, void* data, nuint length, int flags);
}
