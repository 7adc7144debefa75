using Vivarium.Wire.Host;

namespace Vivarium.Host.Sandboxes;

/// <summary>Groups of the states in <see cref="SandboxState"/>.</summary>
internal static class SandboxStates
{
    private static readonly HashSet<string> Known =
    [
        SandboxState.Creating, SandboxState.Running, SandboxState.Pausing, SandboxState.Paused, SandboxState.Resuming, SandboxState.Stopping,
        SandboxState.Stopped, SandboxState.Starting, SandboxState.RollingBack, SandboxState.Failed, SandboxState.Destroying, SandboxState.Gone,
    ];

    /// <summary>Whether the word is a state.</summary>
    public static bool IsKnown(string state) => Known.Contains(state);

    /// <summary>Whether a supervisor belongs to a sandbox in this state.</summary>
    public static bool HasSupervisor(string state) =>
        state is SandboxState.Creating or SandboxState.Running or SandboxState.Pausing or SandboxState.Paused or SandboxState.Resuming
            or SandboxState.Stopping or SandboxState.Starting or SandboxState.RollingBack;

    /// <summary>Whether it has ended and only its data is left.</summary>
    public static bool HasEnded(string state) => state is SandboxState.Stopped or SandboxState.Failed;
}
