using System.Globalization;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Cgroups;

/// <summary>Reads what a cgroup uses. Sources: cpu, cpuacct, memory and pids chapters of the kernel's cgroup documentation.</summary>
internal static class CgroupUsage
{
    /// <summary>A version 1 memory limit above this means "none": the kernel rounds the largest long down to a page.</summary>
    private const long NoLimit = 1L << 60;

    public static SandboxUsage Read(CgroupHierarchies hierarchies, string path)
    {
        var unified = hierarchies.Unified;
        var memory = hierarchies.Directory("memory", path);
        var pids = hierarchies.Directory("pids", path);
        if (pids is not null && Directory.Exists($"{pids}/{WorkCgroup.Name}"))
        {
            pids += "/" + WorkCgroup.Name; // the agent's own threads are no processes of the sandbox
        }

        return new SandboxUsage
        {
            CpuUs = unified ? Field(hierarchies.V2 + path + "/cpu.stat", "usage_usec") : Number(hierarchies.Directory("cpuacct", path) + "/cpuacct.usage") / 1000,
            MemoryBytes = Number(memory + (unified ? "/memory.current" : "/memory.usage_in_bytes")),
            MemoryLimitBytes = Number(memory + (unified ? "/memory.max" : "/memory.limit_in_bytes")) is { } limit and < NoLimit ? limit : null,
            Pids = (int?)Number(pids + "/pids.current"),
            PidsLimit = (int?)Number(pids + "/pids.max"),
            OomKills = OomKillsOrNull(hierarchies, path),
        };
    }

    /// <summary>Memory without the cache of files, which the kernel gives back when it is asked for.</summary>
    public static long? MemoryInUse(CgroupHierarchies hierarchies, string path)
    {
        var directory = hierarchies.Directory("memory", path);
        var all = Number(directory + (hierarchies.Unified ? "/memory.current" : "/memory.usage_in_bytes"));
        var cache = hierarchies.Unified
            ? Field(directory + "/memory.stat", "active_file") + Field(directory + "/memory.stat", "inactive_file")
            : Field(directory + "/memory.stat", "total_active_file") + Field(directory + "/memory.stat", "total_inactive_file");
        return all is null ? null : Math.Max(0, all.Value - (cache ?? 0));
    }

    public static long OomKills(CgroupHierarchies hierarchies, string path) => OomKillsOrNull(hierarchies, path) ?? 0;

    private static long? OomKillsOrNull(CgroupHierarchies hierarchies, string path)
    {
        if (hierarchies.Directory("memory", path) is not { } memory)
        {
            return null;
        }

        // Version 2 counts the kills of the cgroups below as well, version 1 does not.
        return hierarchies.Unified
            ? Field(memory + "/memory.events", "oom_kill")
            : Field(memory + "/memory.oom_control", "oom_kill") + (Field($"{memory}/{WorkCgroup.Name}/memory.oom_control", "oom_kill") ?? 0);
    }

    private static long? Number(string file) =>
        Text(file) is { } text && long.TryParse(text.AsSpan().Trim(), CultureInfo.InvariantCulture, out var value) ? value : null;

    private static long? Field(string file, string name)
    {
        foreach (var line in Text(file)?.Split('\n') ?? [])
        {
            if (line.Length > name.Length && line[name.Length] == ' ' && line.StartsWith(name, StringComparison.Ordinal)
                && long.TryParse(line.AsSpan(name.Length + 1), CultureInfo.InvariantCulture, out var value))
            {
                return value;
            }
        }

        return null;
    }

    private static string? Text(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
