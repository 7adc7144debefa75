using Vivarium.Linux.Files;
using Vivarium.Linux.Processes;

namespace Vivarium.Linux.Cgroups;

/// <summary>Version 1: a directory per controller.</summary>
internal sealed class CgroupV1Files(Func<string, string?> directoryOf) : ICgroupFiles
{
    public void SetLimits(CgroupLimits limits)
    {
        if (limits.Cpus is { } cpus)
        {
            PseudoFile.Write(Of("cpu") + "/cpu.cfs_period_us", "100000");
            PseudoFile.Write(Of("cpu") + "/cpu.cfs_quota_us", ICgroupFiles.Text(ICgroupFiles.Quota(cpus)));
        }

        if (limits.MemoryBytes is { } memory)
        {
            SetMemory(Of("memory"), ICgroupFiles.Text(memory));
        }

        if (limits.Pids is { } pids)
        {
            PseudoFile.Write(Of("pids") + "/pids.max", ICgroupFiles.Text(pids));
        }
    }

    public CgroupUsage Usage()
    {
        var memory = directoryOf("memory");
        var used = ICgroupFiles.Number(memory + "/memory.usage_in_bytes");
        return new CgroupUsage(
            ICgroupFiles.Number(directoryOf("cpuacct") + "/cpuacct.usage") is { } ns ? TimeSpan.FromTicks(ns / 100) : null,
            used is { } bytes ? Math.Max(0, bytes - (ICgroupFiles.Field(memory + "/memory.stat", "total_inactive_file") ?? 0)) : null,
            ICgroupFiles.Number(memory + "/memory.max_usage_in_bytes"),
            ICgroupFiles.Number(directoryOf("pids") + "/pids.current"),
            ICgroupFiles.Field(memory + "/memory.oom_control", "oom_kill"));
    }

    public void RequestFreeze(bool frozen) => PseudoFile.Write(Of("freezer") + "/freezer.state", frozen ? "FROZEN" : "THAWED");

    public bool IsFrozen(bool wanted)
    {
        var state = PseudoFile.TryRead(Of("freezer") + "/freezer.state");
        if (wanted && state == "FREEZING")
        {
            RequestFreeze(true); // a task that was forking is caught by asking again
        }

        return state == (wanted ? "FROZEN" : "THAWED");
    }

    public void Kill(IReadOnlyCollection<int> pids)
    {
        // Standing still they cannot fork while they are being counted; the signal takes effect when they thaw.
        var canFreeze = directoryOf("freezer") is { } freezer && Directory.Exists(freezer);
        if (canFreeze)
        {
            RequestFreeze(true);
        }

        foreach (var pid in pids)
        {
            Signals.Send(pid, Signals.SIGKILL);
        }

        if (canFreeze)
        {
            RequestFreeze(false);
        }
    }

    private static void SetMemory(string directory, string bytes)
    {
        var memory = directory + "/memory.limit_in_bytes";
        var withSwap = directory + "/memory.memsw.limit_in_bytes";
        if (!File.Exists(withSwap))
        {
            PseudoFile.Write(memory, bytes); // swap is not accounted here
            return;
        }

        // The first must never be above the second: which goes first depends on the direction.
        try
        {
            PseudoFile.Write(memory, bytes);
            PseudoFile.Write(withSwap, bytes);
        }
        catch (LinuxException e) when (e.Errno == Errno.EINVAL)
        {
            PseudoFile.Write(withSwap, bytes);
            PseudoFile.Write(memory, bytes);
        }
    }

    private string Of(string controller) => directoryOf(controller) ?? throw new LinuxException("use cgroup controller", controller, Errno.ENOENT);
}
