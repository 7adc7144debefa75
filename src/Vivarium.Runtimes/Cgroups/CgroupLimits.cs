using System.Globalization;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Cgroups;

/// <summary>Sets CPU, memory and process limits on an existing cgroup. Sources: cpu, memory and pids chapters of the kernel's cgroup documentation.</summary>
internal static class CgroupLimits
{
    private const long CpuPeriodUs = 100_000;

    /// <summary>Sets all limits or fails naming the one that could not be set.</summary>
    public static void Apply(CgroupHierarchies hierarchies, string path, ResourceSpec limits)
    {
        var quota = Math.Max(1_000, (long)(limits.Cpus * CpuPeriodUs)).ToString(CultureInfo.InvariantCulture);
        var memory = limits.MemoryBytes.ToString(CultureInfo.InvariantCulture);
        var pids = limits.Pids.ToString(CultureInfo.InvariantCulture);
        if (hierarchies.Unified)
        {
            Write(hierarchies, "cpu", path, "cpu.max", $"{quota} {CpuPeriodUs.ToString(CultureInfo.InvariantCulture)}");
            Write(hierarchies, "memory", path, "memory.max", memory);
            Write(hierarchies, "memory", path, "memory.swap.max", "0", optional: true);
        }
        else
        {
            Write(hierarchies, "cpu", path, "cpu.cfs_period_us", CpuPeriodUs.ToString(CultureInfo.InvariantCulture));
            Write(hierarchies, "cpu", path, "cpu.cfs_quota_us", quota);
            WriteMemoryV1(hierarchies, path, memory);
        }

        Write(hierarchies, "pids", path, "pids.max", pids);
    }

    /// <summary>Sets the memory and process limits of a version 1 cgroup.</summary>
    public static void ApplyWork(CgroupHierarchies hierarchies, string path, ResourceSpec limits)
    {
        WriteMemoryV1(hierarchies, path, limits.MemoryBytes.ToString(CultureInfo.InvariantCulture));
        Write(hierarchies, "pids", path, "pids.max", limits.Pids.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Memory with swap may never be below memory: raised before it, lowered after it.</summary>
    private static void WriteMemoryV1(CgroupHierarchies hierarchies, string path, string memory)
    {
        Write(hierarchies, "memory", path, "memory.memsw.limit_in_bytes", memory, optional: true);
        Write(hierarchies, "memory", path, "memory.limit_in_bytes", memory);
        Write(hierarchies, "memory", path, "memory.memsw.limit_in_bytes", memory, optional: true);
    }

    private static void Write(CgroupHierarchies hierarchies, string controller, string path, string file, string value, bool optional = false)
    {
        var directory = hierarchies.Directory(controller, path);
        try
        {
            if (directory is null)
            {
                throw new IOException($"the kernel has no {controller} controller here");
            }

            using var stream = new FileStream($"{directory}/{file}", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            stream.Write(System.Text.Encoding.ASCII.GetBytes(value));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (!optional)
            {
                throw new VivariumException(ErrorCode.FailedPrecondition, $"cannot set {file} to {value} on cgroup {path}: {e.Message}", inner: e);
            }
        }
    }
}
