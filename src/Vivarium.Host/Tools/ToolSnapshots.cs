using Vivarium.Host.Health;
using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tools;

/// <summary>A snapshot after each tool that may have changed something, when the configuration says so. One that cannot be taken is told, and is no error of the tool.</summary>
internal sealed class ToolSnapshots(HostServices host, SandboxWorkflows workflows)
{
    /// <summary>Takes it and adds it to the answer.</summary>
    public async Task<ToolReply> AddAsync(ToolReply reply, Sandbox sandbox, Tool tool, string? callId, int generation)
    {
        if (!host.Config.Tools.Snapshots)
        {
            return reply;
        }

        try
        {
            var taken = await workflows.Snapshot.ToolAsync(sandbox, tool.Name, callId, generation).ConfigureAwait(false);
            return reply with { SnapshotId = taken.Id.Value };
        }
        catch (VivariumException e)
        {
            if (e.Reason == "snapshots_not_available")
            {
                host.Health.Set("tools", HealthConditions.Degraded, "tools.snapshots is on, but the volume store cannot make snapshots; use a btrfs pool or turn it off");
            }

            return reply with { SnapshotError = e.Message };
        }
    }
}
