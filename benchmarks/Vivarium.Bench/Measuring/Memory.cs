using System.Globalization;

namespace Vivarium.Bench.Measuring;

/// <summary>Memory of processes from /proc (proc(5): smaps_rollup).</summary>
internal static class Memory
{
    /// <summary>Memory only this process has, MiB: what would be free if it were not there.</summary>
    public static double UniqueMiB(int pid) => Sum(pid, "Private_Clean:", "Private_Dirty:");

    /// <summary>Resident memory, MiB.</summary>
    public static double ResidentMiB(int pid) => Sum(pid, "Rss:");

    /// <summary>Pids of processes whose program is named so, read from /proc/PID/comm.</summary>
    public static IReadOnlyList<int> PidsOf(string comm)
    {
        var pids = new List<int>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                && Read($"{directory}/comm").Trim() == comm)
            {
                pids.Add(pid);
            }
        }

        return pids;
    }

    /// <summary>Parent of a process, 0 when it is gone.</summary>
    public static int ParentOf(int pid)
    {
        var stat = Read($"/proc/{pid}/stat");
        return stat.Length == 0 ? 0 : int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
    }

    /// <summary>CPU time used by a process so far, milliseconds (fields 14 and 15 of /proc/PID/stat, in ticks of 10 ms).</summary>
    public static double CpuMs(int pid)
    {
        var stat = Read($"/proc/{pid}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return 10.0 * (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture));
    }

    private static double Sum(int pid, params string[] keys)
    {
        long kilobytes = 0;
        foreach (var line in Read($"/proc/{pid}/smaps_rollup").Split('\n'))
        {
            foreach (var key in keys)
            {
                if (line.StartsWith(key, StringComparison.Ordinal))
                {
                    kilobytes += long.Parse(line[key.Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture);
                }
            }
        }

        return kilobytes / 1024.0;
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return "";
        }
    }
}
