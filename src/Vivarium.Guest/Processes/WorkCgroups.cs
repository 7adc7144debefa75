using Vivarium.Guest.Init;

namespace Vivarium.Guest.Processes;

/// <summary>
/// The cgroups every process we start joins before it runs anything. They carry the sandbox's process and memory limits, while the agent stays
/// outside with an allowance of its own: a fork bomb or a memory hog must not take the agent with it. Named by the host in <c>VIV_WORK_CGROUPS</c>,
/// directories separated by colons; none where the host has no such hierarchy.
/// </summary>
internal static class WorkCgroups
{
    private const string Variable = "VIV_WORK_CGROUPS";

    /// <summary>The directories.</summary>
    public static IReadOnlyList<string> Directories { get; private set; } = [];

    /// <summary>Reads the variable and forgets it, so that no process inherits it.</summary>
    public static void TakeFromEnvironment()
    {
        Directories = Environment.GetEnvironmentVariable(Variable)?.Split(':', StringSplitOptions.RemoveEmptyEntries) ?? [];
        AgentEnvironment.Forget(Variable);
    }
}
