using System.Runtime.InteropServices;

namespace Vivarium.Linux.Processes;

/// <summary>
/// The only waiter for children in the process: one thread that collects every child, those started here, those that failed to start,
/// and orphans adopted as PID 1 or child subreaper. It needs no pidfd, so it works in gVisor. Sources: waitid(2), wait4(2).
/// </summary>
/// <remarks>
/// A dead child is first looked at (WNOWAIT) and collected under the same lock that guards the table of waiters. So a pid in the table
/// is never a reused one, and signalling through <see cref="ChildProcess.Signal"/> cannot hit a stranger.
/// </remarks>
public static class Reaper
{
    private const int MaxUnclaimed = 1024;

    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(1);
    private static readonly Lock Gate = new();
    private static readonly Dictionary<int, TaskCompletionSource<ChildExit>> Waiters = [];
    private static readonly Dictionary<int, (long Generation, ChildExit Exit)> Unclaimed = [];
    private static readonly Queue<(int Pid, long Generation)> UnclaimedOrder = [];
    private static readonly AutoResetEvent MayHaveChildren = new(initialState: false);
    private static bool adopts;
    private static bool running;
    private static long generation;

    /// <summary>Starts collecting; needed as PID 1, where orphans may come before the first own child. Later calls do nothing.</summary>
    public static void Start()
    {
        lock (Gate)
        {
            adopts = true;
            EnsureRunning();
            MayHaveChildren.Set();
        }
    }

    /// <summary>Orphaned descendants become our children, and are collected. Source: PR_SET_CHILD_SUBREAPER in prctl(2).</summary>
    public static void BecomeSubreaper()
    {
        Prctl.SetChildSubreaper();
        Start();
    }

    /// <summary>
    /// Completes when a process that is, or is about to become, our child by adoption has ended. When it ended so long ago that its
    /// status is forgotten (1024 others since), or it was never ours, the exit is without code and signal.
    /// </summary>
    public static Task<ChildExit> WatchAdopted(int pid)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pid, 1);
        lock (Gate)
        {
            EnsureRunning();
            if (Unclaimed.Remove(pid, out var unclaimed))
            {
                return Task.FromResult(unclaimed.Exit);
            }

            if (Waiters.TryGetValue(pid, out var existing))
            {
                return existing.Task;
            }

            // A zombie still exists, and collecting needs the lock we hold: not existing means collected and forgotten.
            if (ReaperNative.Kill(pid, 0) != 0 && Marshal.GetLastPInvokeError() == Errno.ESRCH)
            {
                return Task.FromResult(ChildExit.Unknown);
            }

            var waiter = Register(pid);
            MayHaveChildren.Set();
            return waiter.Task;
        }
    }

    /// <summary>Spawns by <paramref name="spawn"/> and watches the child, whose exit cannot be missed however short its life.</summary>
    internal static (int Pid, Task<ChildExit> Exited) Spawn(Func<SpawnOptions, int> spawn, SpawnOptions options)
    {
        long started;
        lock (Gate)
        {
            EnsureRunning();
            started = ++generation;
        }

        int pid;
        try
        {
            pid = spawn(options);
        }
        finally
        {
            MayHaveChildren.Set(); // also when it failed: the failed child waits to be collected
        }

        lock (Gate)
        {
            // Collected before we got here? Only an entry made since we began can be ours.
            if (Unclaimed.TryGetValue(pid, out var unclaimed) && unclaimed.Generation >= started)
            {
                Unclaimed.Remove(pid);
                return (pid, Task.FromResult(unclaimed.Exit));
            }

            return (pid, Register(pid).Task);
        }
    }

    /// <summary>Sends a signal unless the child has been collected; false when it has. A negative target is the process group.</summary>
    internal static bool Signal(int pid, bool group, int signal)
    {
        lock (Gate)
        {
            if (!Waiters.ContainsKey(pid))
            {
                return false;
            }

            return ReaperNative.Kill(group ? -pid : pid, signal) == 0 || Marshal.GetLastPInvokeError() == Errno.ESRCH
                ? true
                : throw LinuxException.Last("kill", $"{pid}");
        }
    }

    private static TaskCompletionSource<ChildExit> Register(int pid)
    {
        var waiter = new TaskCompletionSource<ChildExit>(TaskCreationOptions.RunContinuationsAsynchronously);
        Waiters[pid] = waiter;
        return waiter;
    }

    private static void EnsureRunning()
    {
        if (running)
        {
            return;
        }

        running = true;
        new Thread(Run, maxStackSize: 128 * 1024) { IsBackground = true, Name = "reaper" }.Start();
    }

    private static void Run()
    {
        while (true)
        {
            var pid = ReaperNative.AwaitDeadChild();
            if (pid > 0)
            {
                Collect(pid);
                continue;
            }

            // Without any child there is nothing to block on. An adopter can still be handed one (a process somebody else put into our pid
            // namespace), so it looks once in a while. SIGCHLD would tell, but .NET's handler for it collects every child itself when it is PID 1.
            MayHaveChildren.WaitOne(adopts ? LookAgain : Timeout.InfiniteTimeSpan);
        }
    }

    private static void Collect(int pid)
    {
        TaskCompletionSource<ChildExit>? waiter;
        ChildExit? exit;
        lock (Gate)
        {
            exit = ReaperNative.Collect(pid);
            if (exit is null)
            {
                return;
            }

            if (!Waiters.Remove(pid, out waiter))
            {
                Remember(pid, exit);
                return;
            }
        }

        waiter.SetResult(exit);
    }

    private static void Remember(int pid, ChildExit exit)
    {
        Unclaimed[pid] = (generation, exit);
        UnclaimedOrder.Enqueue((pid, generation));
        while (UnclaimedOrder.Count > MaxUnclaimed)
        {
            var (oldest, madeIn) = UnclaimedOrder.Dequeue();
            if (Unclaimed.TryGetValue(oldest, out var entry) && entry.Generation == madeIn)
            {
                Unclaimed.Remove(oldest);
            }
        }
    }
}
