using System.Runtime.InteropServices;
using Vivarium.Linux;

namespace Vivarium.Guest.Io;

/// <summary>
/// One thread in epoll_wait(2) for every descriptor the agent reads or writes without blocking: the multiplexer's two pipes and each process's
/// pipes and terminals; a thousand processes cost no thread. Each wait asks for one report, so that a process that goes on writing while it is
/// being read wakes nobody.
/// </summary>
internal sealed class FdPoller
{
    private const int BatchSize = 64;

    private static readonly Lazy<FdPoller> LazyShared = new(() => new FdPoller());

    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, PolledFd> _registered = [];
    private readonly int _epoll;
    private ulong _lastKey;

    private FdPoller()
    {
        _epoll = Libc.EpollCreate1(Libc.EPOLL_CLOEXEC);
        if (_epoll < 0)
        {
            throw new IOException($"cannot create an epoll descriptor: errno {Marshal.GetLastPInvokeError()}");
        }

        new Thread(Run, 128 * 1024) { IsBackground = true, Name = "viv-poll" }.Start();
    }

    /// <summary>The process-wide poller.</summary>
    public static FdPoller Shared => LazyShared.Value;

    /// <summary>A key for a descriptor that will be watched.</summary>
    public ulong Register(PolledFd target)
    {
        lock (_gate)
        {
            _registered.Add(++_lastKey, target);
            return _lastKey;
        }
    }

    /// <summary>Forgets it. The kernel stops watching by itself when the descriptor is closed.</summary>
    public void Unregister(ulong key)
    {
        lock (_gate)
        {
            _registered.Remove(key);
        }
    }

    /// <summary>Asks for one report of any of these events. False when epoll cannot watch such a descriptor (a regular file: always ready).</summary>
    public unsafe bool Arm(int fd, ulong key, uint events, bool first)
    {
        var change = new Libc.EpollEvent { Events = events | Libc.EPOLLONESHOT, Data = key };

        // SAFETY: change lives on this stack frame for the whole call.
        if (Libc.EpollCtl(_epoll, first ? Libc.EPOLL_CTL_ADD : Libc.EPOLL_CTL_MOD, fd, &change) == 0)
        {
            return true;
        }

        var errno = Marshal.GetLastPInvokeError();
        return errno == Errno.EPERM ? false : throw new IOException($"cannot watch descriptor {fd}: {Errno.Name(errno)}");
    }

    private unsafe void Run()
    {
        // SAFETY: the buffer lives as long as this frame, which never returns; the count passed is its length.
        var events = stackalloc Libc.EpollEvent[BatchSize];
        while (true)
        {
            var count = Libc.EpollWait(_epoll, events, BatchSize, -1);
            for (var i = 0; i < count; i++)
            {
                PolledFd? target;
                lock (_gate)
                {
                    _registered.TryGetValue(events[i].Data, out target);
                }

                target?.OnEvents(events[i].Events);
            }
        }
    }
}
