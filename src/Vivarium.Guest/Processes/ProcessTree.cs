using Vivarium.Linux.Processes;

namespace Vivarium.Guest.Processes;

/// <summary>
/// Everything that descends from a process we started: by parent, by session, and by <see cref="ProcessMark"/>, which also finds
/// a grandchild that changed its session after its parents had died.
/// </summary>
internal static class ProcessTree
{
    private static readonly TimeSpan KillDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan KillPause = TimeSpan.FromMilliseconds(2);

    /// <summary>Living members of a tree.</summary>
    public static List<int> Members(ManagedProcess root)
    {
        var all = ProcSnapshot.Read();
        var self = Environment.ProcessId;
        var members = new HashSet<int>();
        foreach (var entry in all)
        {
            if (entry.Pid == self || entry.State == 'Z')
            {
                continue;
            }

            if ((root.OwnsPid && (entry.Pid == root.Pid || entry.Session == root.Pid)) || ProcessMark.IsOn(entry.Pid, root.Mark))
            {
                members.Add(entry.Pid);
            }
        }

        var grew = members.Count > 0;
        while (grew)
        {
            grew = false;
            foreach (var entry in all)
            {
                grew |= entry.State != 'Z' && entry.Pid != self && members.Contains(entry.Parent) && members.Add(entry.Pid);
            }
        }

        return [.. members];
    }

    /// <summary>Sends a signal to every member once; returns how many there were.</summary>
    public static int Signal(ManagedProcess root, int signal)
    {
        var members = Members(root);
        foreach (var pid in members)
        {
            _ = Io.Libc.Kill(pid, signal);
        }

        return members.Count;
    }

    /// <summary>Kills until nobody is left: a member may start another between our look and our blow.</summary>
    public static async Task KillAsync(ManagedProcess root)
    {
        var clock = TimeProvider.System;
        var start = clock.GetTimestamp();
        while (Signal(root, Signals.SIGKILL) > 0 && clock.GetElapsedTime(start) < KillDeadline)
        {
            // The killed need a moment to become zombies; CancellationToken.None: a kill that was begun is finished.
            await Task.Delay(KillPause, clock, CancellationToken.None);
        }
    }

    /// <summary>Asks by a signal, then kills what is left after the grace.</summary>
    public static async Task EndAsync(ManagedProcess root, int signal, TimeSpan grace)
    {
        var clock = TimeProvider.System;
        var start = clock.GetTimestamp();
        if (Signal(root, signal) == 0)
        {
            return;
        }

        while (clock.GetElapsedTime(start) < grace)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), clock, CancellationToken.None);
            if (Members(root).Count == 0)
            {
                return;
            }
        }

        await KillAsync(root);
    }
}
