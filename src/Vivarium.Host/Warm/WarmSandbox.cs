using Vivarium.Host.Sandboxes;
using Vivarium.Host.Supervision;

namespace Vivarium.Host.Warm;

/// <summary>A sandbox that runs for nobody yet. It has no record in the database, only a note beside it (<see cref="WarmNotes"/>).</summary>
/// <param name="Shape">What it fits.</param>
/// <param name="Record">What it is, with the name its host name was made from.</param>
/// <param name="Link">Its supervisor.</param>
/// <param name="EnginePid">Pid of its init on the host.</param>
internal sealed record WarmSandbox(WarmShape Shape, SandboxRecord Record, SupervisorLink Link, int EnginePid)
{
    /// <summary>Whether its host name can still be changed: that of a container, from outside. gVisor's kernel is its own, and its root may not.</summary>
    public bool CanBeRenamed => Record.Runtime == "container";
}
