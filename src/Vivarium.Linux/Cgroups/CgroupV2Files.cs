using Vivarium.Linux.Files;
using Vivarium.Linux.Processes;

namespace Vivarium.Linux.Cgroups;

/// <summary>Version 2: one directory with all controllers.</summary>
internal sealed class CgroupV2Files(string directory) : ICgroupFiles
{
    /// <summary>A group has a controller only when everything above hands it down.</summary>
    public static void EnableControllersAbove(string root, string path)
    {
        var at = root;
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            foreach (var controller in new[] { "cpu", "memory", "pids" })
            {
                try
                {
                    PseudoFile.Write(at + "/cgroup.subtree_control", "+" + controller);
                }
                catch (LinuxException e) when (e.Errno is Errno.ENOENT or Errno.EINVAL or Errno.EBUSY)
                {
                    // Not there, or in use otherwise: setting a limit that needs it says so.
                }
            }

            at = $"{at}/{part}";
            Directory.CreateDirectory(at);
        }
    }

    public void SetLimits(CgroupLimits limits)
    {
        if (limits.Cpus is { } cpus)
        {
            PseudoFile.Write(directory + "/cpu.max", $"{ICgroupFiles.Text(ICgroupFiles.Quota(cpus))} 100000");
        }

        if (limits.MemoryBytes is { } memory)
        {
            PseudoFile.Write(directory + "/memory.max", ICgroupFiles.Text(memory));
            if (File.Exists(directory + "/memory.swap.max"))
            {
                PseudoFile.Write(directory + "/memory.swap.max", "0");
            }
        }

        if (limits.Pids is { } pids)
        {
            PseudoFile.Write(directory + "/pids.max", ICgroupFiles.Text(pids));
        }
    }

    public CgroupUsage Usage() => new(
        ICgroupFiles.Field(directory + "/cpu.stat", "usage_usec") is { } us ? TimeSpan.FromMicroseconds(us) : null,
        ICgroupFiles.Number(directory + "/memory.current") is { } bytes
            ? Math.Max(0, bytes - (ICgroupFiles.Field(directory + "/memory.stat", "inactive_file") ?? 0))
            : null,
        ICgroupFiles.Number(directory + "/memory.peak"),
        ICgroupFiles.Number(directory + "/pids.current"),
        ICgroupFiles.Field(directory + "/memory.events", "oom_kill"));

    public void RequestFreeze(bool frozen) => PseudoFile.Write(directory + "/cgroup.freeze", frozen ? "1" : "0");

    public bool IsFrozen(bool wanted) => ICgroupFiles.Field(directory + "/cgroup.events", "frozen") == (wanted ? 1 : 0);

    public void Kill(IReadOnlyCollection<int> pids)
    {
        if (File.Exists(directory + "/cgroup.kill"))
        {
            PseudoFile.Write(directory + "/cgroup.kill", "1");
            return;
        }

        foreach (var pid in pids) // kernels before 5.14
        {
            Signals.Send(pid, Signals.SIGKILL);
        }
    }
}
