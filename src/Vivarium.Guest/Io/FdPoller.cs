using System.Runtime.InteropServices;
using Vivarium.Linux;

namespace Vivarium.Guest.Io;

/// <summary>
/// One thread in epoll_wait(2) for every descriptor the agent reads or writes without blocking: the multiplexer's two pipes and each process's
/// pipes and terminals. Edge-triggered, so that a descriptor costs one system call in its life; a thousand processes cost no thread.
/// </summary>
internal sealed class FdPoller
{
    private const int BatchSize = 64;

    private static readonly Lazy<FdPoller> LazyShared = new(() => new FdPoller());

    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, PolledFd> _registered = [];
    private readonly int _epoll;
    private ulong _nextKey = 1;

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

    /// <summary>Watches a descriptor; returns the key to <see cref="Remove"/> it by, or 0 when epoll cannot watch it (a regular file: always ready).</summary>
    public unsafe ulong Add(int fd, PolledFd target)
    {
        ulong key;
        lock (_gate)
        {
            key = _nextKey++;
            _registered.Add(key, target);
        }

        var change = new Libc.EpollEvent
        {
            Events = Libc.EPOLLIN | Libc.EPOLLOUT | Libc.EPOLLRDHUP | Libc.EPOLLET,
            Data = key,
        };

        // SAFETY: change lives on this stack frame for the whole call.
        if (Libc.EpollCtl(_epoll, Libc.EPOLL_CTL_ADD, fd, &change) == 0)
        {
            return key;
        }

        var errno = Marshal.GetLastPInvokeError();
        lock (_gate)
        {
            _registered.Remove(key);
        }

        return errno == Errno.EPERM ? 0UL : throw new IOException($"cannot watch descriptor {fd}: errno {errno}");
    }

    /// <summary>Stops watching; to be called before the descriptor is closed.</summary>
    public unsafe void Remove(int fd, ulong key)
    {
        if (key == 0)
        {
            return;
        }

        var change = default(Libc.EpollEvent);

        // SAFETY: as in Add; before Linux 2.6.9 the pointer had to be valid even for a removal.
        _ = Libc.EpollCtl(_epoll, Libc.EPOLL_CTL_DEL, fd, &change);
        lock (_gate)
        {
            _registered.Remove(key);
        }
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
