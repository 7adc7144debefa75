using Vivarium.Cli.Terminal;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Interop;

/// <summary>How long to wait for a peer: a deadline, signals of the user, and something to do meanwhile (a spinner).</summary>
internal sealed class ConnectionWait(TimeSpan? timeout = null, SignalPipe? signals = null, Action? tick = null)
{
    private readonly long _deadline = timeout is { } t ? Environment.TickCount64 + (long)t.TotalMilliseconds : long.MaxValue;

    /// <summary>Waits without an end; only for peers that are told to stop in other ways.</summary>
    public static ConnectionWait Forever { get; } = new();

    public void ForInput(int fd)
    {
        if (timeout is null && signals is null && tick is null)
        {
            return; // the blocking read waits
        }

        for (; ; )
        {
            var left = _deadline == long.MaxValue ? -1 : (int)Math.Clamp(_deadline - Environment.TickCount64, 0, int.MaxValue);
            if (left == 0)
            {
                throw new VivariumException(ErrorCode.DeadlineExceeded, "no answer in time", "look at 'viv daemon status' and the daemon's log");
            }

            var step = tick is null ? left : left < 0 ? 100 : Math.Min(left, 100);
            var ready = signals is null ? Fd.Wait(fd, Posix.POLLIN, step) : signals.WaitWith(fd, step);
            if (ready)
            {
                return;
            }

            tick?.Invoke();
        }
    }
}
