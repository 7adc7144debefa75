using Vivarium.Host.Sandboxes;

namespace Vivarium.Host.Warm;

/// <summary>What a sandbox made ahead must have in common with the create that takes it: all that cannot be changed in a running one.</summary>
/// <param name="Template">Template as it was asked for, so that a rebuild of a name is noticed.</param>
/// <param name="Runtime">Runtime as it was asked for.</param>
/// <param name="Cpus">CPUs.</param>
/// <param name="MemoryBytes">Memory.</param>
/// <param name="Pids">Processes and threads.</param>
internal sealed record WarmShape(string Template, string Runtime, double Cpus, long MemoryBytes, int Pids)
{
    /// <summary>The shape of a create; null when it needs what only a cold start gives: shares, published ports, a network, no isolation.</summary>
    public static WarmShape? Of(SandboxRecord wanted) => wanted is { Shares: null, Ports: null, Network: "none" } && wanted.Runtime != "direct"
        ? new WarmShape(wanted.Template, wanted.Runtime, wanted.Resources.Cpus, wanted.Resources.MemoryBytes, wanted.Resources.Pids)
        : null;
}
