using System.Runtime.InteropServices;
using Vivarium.Cli.Interop;

namespace Vivarium.Cli.Terminal;

/// <summary>
/// Turns signals into bytes on a pipe, so that one poll(2) waits for peers, terminal and signals alike. A third interrupt that nobody took ends
/// the process on the spot: the main thread may be blocked writing to a reader that does not read.
/// </summary>
internal sealed class SignalPipe : IDisposable
{
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly int _readEnd;
    private readonly int _writeEnd;
    private int _waiting;

    public unsafe SignalPipe(params PosixSignal[] signals)
    {
        var ends = stackalloc int[2];

        // SAFETY: room for two descriptors.
        if (Posix.pipe2(ends, Posix.OCloexec | Posix.ONonblock) != 0)
        {
            throw Fd.Failed("pipe2", -1, Marshal.GetLastPInvokeError());
        }

        (_readEnd, _writeEnd) = (ends[0], ends[1]);
        foreach (var signal in signals)
        {
            _registrations.Add(PosixSignalRegistration.Create(signal, Received));
        }
    }

    /// <summary>Run before the process is ended because nobody takes its signals; restores the terminal.</summary>
    public Action? BeforeHardExit { get; set; }

    public int Descriptor => _readEnd;

    /// <summary>The signals that end a command.</summary>
    public static SignalPipe ForInterrupts() => new(PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP);

    /// <summary>The next signal (its Linux number), or 0.</summary>
    public int Take()
    {
        Span<byte> one = stackalloc byte[1];
        if (Fd.Read(_readEnd, one) <= 0)
        {
            return 0;
        }

        if (one[0] is not (18 or 28))
        {
            Interlocked.Decrement(ref _waiting);
        }

        return one[0];
    }

    /// <summary>Waits for input on the descriptor; a signal throws <see cref="InterruptedException"/>. False when the time is up.</summary>
    public unsafe bool WaitWith(int fd, int timeoutMs)
    {
        for (; ; )
        {
            var entries = stackalloc Posix.PollFd[2];
            entries[0] = new Posix.PollFd { Fd = fd, Events = Posix.POLLIN };
            entries[1] = new Posix.PollFd { Fd = _readEnd, Events = Posix.POLLIN };

            // SAFETY: two entries on the stack, count 2.
            var ready = Posix.poll(entries, 2, timeoutMs);
            if (ready < 0 && Marshal.GetLastPInvokeError() == Posix.EINTR)
            {
                continue;
            }

            if (entries[1].Revents != 0 && Take() is var signal and > 0)
            {
                throw new InterruptedException(signal);
            }

            return entries[0].Revents != 0;
        }
    }

    public void Dispose()
    {
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }

        _ = Posix.close(_readEnd);
        _ = Posix.close(_writeEnd);
    }

    private void Received(PosixSignalContext context)
    {
        context.Cancel = true;
        byte number = context.Signal switch
        {
            PosixSignal.SIGHUP => 1,
            PosixSignal.SIGINT => 2,
            PosixSignal.SIGQUIT => 3,
            PosixSignal.SIGTERM => 15,
            PosixSignal.SIGCONT => 18,
            PosixSignal.SIGWINCH => 28,
            _ => 0,
        };
        if (number is 18 or 28)
        {
            _ = Fd.Write(_writeEnd, [number]);
        }
        else if (Interlocked.Increment(ref _waiting) >= 3)
        {
            BeforeHardExit?.Invoke();
            Posix._exit(128 + number);
        }
        else
        {
            _ = Fd.Write(_writeEnd, [number]);
        }
    }
}
