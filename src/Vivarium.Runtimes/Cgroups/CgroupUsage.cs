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

    public static long OomKills(CgroupHierarchies hierarchies, string path) => OomKillsOrNull(hierarchies, path) ?? 0;

    private static long? OomKillsOrNull(CgroupHierarchies hierarchies, string path) =>
        hierarchies.Directory("memory", path) is { } memory
            ? Field(memory + (hierarchies.Unified ? "/memory.events" : "/memory.oom_control"), "oom_kill")
            : null;

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
