using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Transport.Io;

/// <summary>
/// Waits for full pipes to take bytes again: one epoll(7) and one thread for the whole process, started by the first wait.
/// One-shot registrations, so an idle session costs nothing.
/// </summary>
internal sealed class FdWriteWaiter
{
    private static readonly Lazy<FdWriteWaiter> Instance = new(() => new FdWriteWaiter());

    private readonly SafeFileHandle _epoll;
    private readonly ConcurrentDictionary<long, Wait> _waits = new();
    private long _lastKey;

    private FdWriteWaiter()
    {
        _epoll = Libc.epoll_create1(Libc.EPOLL_CLOEXEC);
        if (_epoll.IsInvalid)
            throw Libc.Error("epoll_create1");
        new Thread(Loop, 256 * 1024) { IsBackground = true, Name = "fd-write-waiter" }.Start();
    }

    public static FdWriteWaiter Shared => Instance.Value;

    /// <summary>Completes when the descriptor can be written, has failed or was closed. One wait per descriptor at a time.</summary>
    public async Task WaitAsync(SafeFileHandle fd, CancellationToken cancellationToken)
    {
        // The reference keeps the number from being reused while it is registered.
        var held = false;
        fd.DangerousAddRef(ref held);
        var key = Interlocked.Increment(ref _lastKey);
        var wait = new Wait();
        _waits[key] = wait;
        try
        {
            Register((int)fd.DangerousGetHandle(), key);
            await wait.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _waits.TryRemove(key, out _);
            Unregister((int)fd.DangerousGetHandle());
            fd.DangerousRelease();
        }
    }

    private unsafe void Register(int fd, long key)
    {
        var entry = new Libc.EpollEvent { Events = Libc.EPOLLOUT | Libc.EPOLLONESHOT, Data = key };

        // SAFETY: the kernel copies the entry during the call.
        if (Libc.epoll_ctl(_epoll, Libc.EPOLL_CTL_ADD, fd, &entry) < 0)
            throw Libc.Error("epoll_ctl");
    }

    private unsafe void Unregister(int fd)
    {
        var entry = default(Libc.EpollEvent);

        // SAFETY: as above; the entry is ignored for a removal.
        _ = Libc.epoll_ctl(_epoll, Libc.EPOLL_CTL_DEL, fd, &entry);
    }

    private unsafe void Loop()
    {
        const int most = 16;
        var entries = stackalloc Libc.EpollEvent[most];
        while (true)
        {
            // SAFETY: room for as many entries as the call may return.
            var count = Libc.epoll_wait(_epoll, entries, most, -1);
            if (count < 0 && Marshal.GetLastPInvokeError() != Libc.EINTR)
                throw Libc.Error("epoll_wait");
            for (var i = 0; i < count; i++)
            {
                if (_waits.TryGetValue(entries[i].Data, out var wait))
                    wait.TrySetResult();
            }
        }
    }

    private sealed class Wait() : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
}
