using System.Globalization;
using Vivarium.Guest.Processes;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Control;

/// <summary>The sandbox's own view of what it uses; what the kernel does not show here is absent. Sources: proc(5), cgroups(7).</summary>
internal static class GuestStatistics
{
    /// <summary>Reads it now.</summary>
    public static GuestStats Read(GuestContext context)
    {
        var disk = new DriveInfo("/");
        return new GuestStats
        {
            UptimeMs = (long)TimeProvider.System.GetElapsedTime(context.StartTimestamp).TotalMilliseconds,
            Processes = Count(context),
            CpuUs = context.IsInit ? CpuMicroseconds() : null,
            MemoryBytes = context.IsInit ? Number("/sys/fs/cgroup/memory.current") ?? Number("/sys/fs/cgroup/memory/memory.usage_in_bytes") : null,
            DiskTotalBytes = disk.IsReady ? disk.TotalSize : null,
            DiskUsedBytes = disk.IsReady ? disk.TotalSize - disk.TotalFreeSpace : null,
            Load = Load(),
        };
    }

    private static int Count(GuestContext context)
    {
        // In its own PID namespace everything but the agent is the sandbox; on a shared machine only the trees of what we started are.
        return context.IsInit
            ? ProcSnapshot.Read().Count(static entry => entry.Pid != Environment.ProcessId && entry.State != 'Z')
            : context.Processes.All().Where(static process => !process.Exited.IsCompleted).Sum(static process => ProcessTree.Members(process).Count);
    }

    private static long? CpuMicroseconds()
    {
        foreach (var line in Lines("/sys/fs/cgroup/cpu.stat"))
        {
            if (line.StartsWith("usage_usec ", StringComparison.Ordinal))
            {
                return Parse(line["usage_usec ".Length..]);
            }
        }

        return (Number("/sys/fs/cgroup/cpuacct/cpuacct.usage") ?? Number("/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage")) / 1000;
    }

    private static double[]? Load()
    {
        var fields = Lines("/proc/loadavg").FirstOrDefault()?.Split(' ');
        return fields is [var one, var five, var fifteen, ..] ? [Real(one), Real(five), Real(fifteen)] : null;
    }

    private static double Real(string text) => double.TryParse(text, CultureInfo.InvariantCulture, out var value) ? value : 0;

    private static long? Number(string path) => Lines(path).FirstOrDefault() is { } line ? Parse(line) : null;

    private static long? Parse(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;

    private static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
