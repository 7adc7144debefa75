using System.Text;

namespace Vivarium.Runtimes.Cgroups;

/// <summary>
/// Whoever moves a process by <c>cgroup.procs</c> takes a lock over every fork and exit of the machine; after a quiet moment the first taker waits for a grace
/// period of RCU (5 to 30 ms, measured on 6.18) and those shortly after it do not. An engine does that in the middle of its start, so it is done here beforehand, by
/// moving this process to where it is, while volume and supervisor are still being made. Source: rcu_sync_enter() in kernel/rcu/sync.c.
/// </summary>
public sealed class MigrationLock : IDisposable
{
    // Once passed, the lock stays cheap for about another grace period.
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(3);
    private static readonly TimeSpan AtMost = TimeSpan.FromMilliseconds(500);

    // It sleeps at once: by default it first spins through sched_yield(2), on the cores the engine is to start on.
    private readonly ManualResetEventSlim enough = new(initialState: false, spinCount: 0);

    private MigrationLock(string file) =>
        new Thread(() => Run(file), maxStackSize: 128 * 1024) { IsBackground = true, Name = "cgroup-lock" }.Start();

    /// <summary>Keeps the lock cheap until disposed, or for half a second; it costs nothing but time of a thread that waits. Null where this process cannot.</summary>
    public static MigrationLock? KeepCheap(CgroupHierarchies hierarchies) => OwnFile(hierarchies) is { } file ? new MigrationLock(file) : null;

    /// <inheritdoc/>
    public void Dispose() => enough.Set(); // the thread may still look at it, and a set event holds nothing

    private static string? OwnFile(CgroupHierarchies hierarchies)
    {
        foreach (var line in File.ReadLines("/proc/self/cgroup"))
        {
            // 4:memory:/system.slice/vivd.service, or 0::/user.slice
            var fields = line.Split(':', 3);
            var root = fields.Length != 3 ? null : fields[1].Length == 0 ? hierarchies.V2 : hierarchies.V1.GetValueOrDefault(fields[1].Split(',')[0]);
            var file = $"{root}{(fields.Length == 3 ? fields[2].TrimEnd('/') : "")}/cgroup.procs";
            if (root is not null && File.Exists(file))
            {
                return file;
            }
        }

        return null;
    }

    private void Run(string file)
    {
        var clock = TimeProvider.System;
        var began = clock.GetTimestamp();
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            do
            {
                stream.Write(Encoding.ASCII.GetBytes("0"));
            }
            while (!enough.Wait(Again) && clock.GetElapsedTime(began) < AtMost);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not allowed here: the engine waits itself.
        }
    }
}
