using Vivarium.Linux.Files;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Cgroups;

/// <summary>
/// The cgroup of everything the agent starts, below the sandbox's own: it has the sandbox's process and memory limits, and the sandbox as a whole a
/// little more, so that a fork bomb or a memory hog cannot take the agent with it. Inside, the agent sees of it only the two <c>tasks</c> files:
/// whoever writes there joins, and nobody can leave.
/// </summary>
/// <remarks>Version 1 hierarchies only: version 2 allows no processes beside child cgroups, and engines own the placement there.</remarks>
internal static class WorkCgroup
{
    /// <summary>Environment variable of the agent: the directories to join, separated by colons.</summary>
    public const string Variable = "VIV_WORK_CGROUPS";

    /// <summary>Processes and threads beyond the sandbox's limit that only the agent can use.</summary>
    public const int AgentPids = 64;

    /// <summary>Memory beyond the sandbox's limit that only the agent can use, bytes.</summary>
    public const long AgentMemoryBytes = 24 * 1024 * 1024;

    /// <summary>Its name below the sandbox's cgroup.</summary>
    public const string Name = "work";

    /// <summary>The file one joins by: it moves the single thread of a process about to be executed, without the machine-wide lock <c>cgroup.procs</c> takes.</summary>
    public const string JoinFile = "tasks";

    private static readonly string[] Controllers = ["pids", "memory"];

    /// <summary>Whether this machine's hierarchies allow it.</summary>
    public static bool Possible(CgroupHierarchies hierarchies) => Array.TrueForAll(Controllers, hierarchies.V1.ContainsKey);

    /// <summary>Makes it, with the sandbox's cgroup above where that is missing, and returns its directory for each controller.</summary>
    /// <param name="hierarchies">Of this machine.</param>
    /// <param name="path">The sandbox's cgroup.</param>
    /// <param name="limits">The sandbox's limits.</param>
    /// <param name="owner">Host id of the sandbox's root, who must be able to join; null when it is the host's root.</param>
    public static IReadOnlyDictionary<string, string> Create(CgroupHierarchies hierarchies, string path, ResourceSpec limits, uint? owner = null)
    {
        Dictionary<string, string> directories = [];
        foreach (var controller in Controllers)
        {
            var directory = $"{hierarchies.V1[controller]}{path}/{Name}";
            Directory.CreateDirectory(directory);
            if (owner is { } root)
            {
                FileChanges.Chown($"{directory}/{JoinFile}", root, root);
            }

            directories.Add(controller, directory);
        }

        CgroupLimits.ApplyWork(hierarchies, $"{path}/{Name}", limits);
        return directories;
    }

    /// <summary>The limits of the sandbox as a whole when the agent has its own allowance.</summary>
    public static ResourceSpec WithAgent(ResourceSpec limits) =>
        limits with { Pids = limits.Pids + AgentPids, MemoryBytes = limits.MemoryBytes + AgentMemoryBytes };
}
