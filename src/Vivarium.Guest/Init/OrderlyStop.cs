using Vivarium.Guest.Control;
using Vivarium.Guest.Io;
using Vivarium.Guest.Processes;
using Vivarium.Linux.Processes;

namespace Vivarium.Guest.Init;

/// <summary>
/// The end of the sandbox from inside: everybody is asked to end (SIGTERM), then made to (SIGKILL); what is written reaches the disk; our mounts are taken
/// down in reverse. Each step has its own deadline, and a step that hangs does not hold up the end.
/// </summary>
internal static class OrderlyStop
{
    private static readonly TimeSpan StepDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(10);

    /// <summary>Runs it.</summary>
    /// <param name="context">The sandbox.</param>
    /// <param name="mounts">Mounts to take down.</param>
    /// <param name="grace">Time between asking and making.</param>
    public static async Task RunAsync(GuestContext context, GuestMounts mounts, TimeSpan grace)
    {
        var running = context.Processes.Close();
        await EndProcessesAsync(context, running, grace);
        await BoundedAsync("sync", Libc.Sync);
        await BoundedAsync("unmount", () =>
        {
            foreach (var busy in mounts.RemoveAll())
            {
                ConsoleLog.Write($"'{busy}' is busy and stays mounted");
            }
        });
        if (!context.IsInit)
        {
            await BoundedAsync("remove the run directory", () => Directory.Delete(context.RunDirectory, recursive: true));
        }
    }

    private static async Task EndProcessesAsync(GuestContext context, IReadOnlyList<ManagedProcess> running, TimeSpan grace)
    {
        var clock = TimeProvider.System;
        var start = clock.GetTimestamp();
        Signal(context, running, Signals.SIGTERM);
        foreach (var process in running.Where(static process => process.HasTerminal))
        {
            // An interactive shell does not mind SIGTERM; that its terminal goes away it does.
            process.SignalGroup(Signals.SIGHUP);
        }

        while (AnyLeft(context, running) && clock.GetElapsedTime(start) < grace)
        {
            await Task.Delay(Poll, clock, CancellationToken.None);
        }

        start = clock.GetTimestamp();
        while (AnyLeft(context, running) && clock.GetElapsedTime(start) < StepDeadline)
        {
            Signal(context, running, Signals.SIGKILL);
            await Task.Delay(Poll, clock, CancellationToken.None);
        }
    }

    private static void Signal(GuestContext context, IReadOnlyList<ManagedProcess> running, int signal)
    {
        if (context.IsInit)
        {
            // All that this PID namespace holds, except ourselves.
            _ = Libc.Kill(-1, signal);
            return;
        }

        foreach (var process in running)
        {
            ProcessTree.Signal(process, signal);
        }
    }

    private static bool AnyLeft(GuestContext context, IReadOnlyList<ManagedProcess> running) => context.IsInit
        ? ProcSnapshot.Read().Exists(static entry => entry.Pid != Environment.ProcessId && entry.State != 'Z')
        : running.Any(static process => ProcessTree.Members(process).Count > 0);

    private static async Task BoundedAsync(string what, Action action)
    {
        try
        {
            await Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                .WaitAsync(StepDeadline, TimeProvider.System, CancellationToken.None);
        }
        catch (Exception e) when (e is TimeoutException or IOException or UnauthorizedAccessException)
        {
            ConsoleLog.Write($"{what} failed or took too long: {e.Message}");
        }
    }
}
