using Microsoft.Extensions.Logging;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Snapshots;
using Vivarium.Host.State;
using Vivarium.Host.Supervision;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Volumes;

namespace Vivarium.Host.Recovery;

/// <summary>
/// Removes what belongs to no record: runtime directories (with their supervisors and ledgers), cgroups, volumes, state directories. Runs once, in the background of a
/// start. A sandbox made meanwhile is in the catalog before anything of it is on disk, so it is never taken for an orphan; quarantined ones are left alone.
/// </summary>
internal sealed partial class ReclaimOrphans(HostServices host, SandboxWorkflows workflows, IReadOnlyList<QuarantinedSandbox> quarantined)
{
    private static readonly TimeSpan KillTime = TimeSpan.FromSeconds(5);

    private readonly ILogger logger = host.Loggers.CreateLogger<ReclaimOrphans>();

    /// <summary>Does it all; a failure with one thing does not keep the others.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        foreach (var id in Names(host.Paths.Runtime).Where(IsOrphan))
        {
            await TryAsync("runtime directory", id, () => host.Remains.RemoveAsync(Parse(id), null, SupervisorRemains.NoPatience)).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }

        foreach (var id in CgroupNames().Where(IsOrphan))
        {
            await TryAsync("cgroup", id, () => RemoveCgroupAsync(id, cancellationToken)).ConfigureAwait(false);
        }

        var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        foreach (var key in volumes.List(VolumeKind.Sandbox).Where(IsOrphan))
        {
            await TryAsync("volume", key, () => volumes.DeleteAsync(VolumeKind.Sandbox, key, cancellationToken)).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }

        await ReclaimSnapshotsAsync(volumes, cancellationToken).ConfigureAwait(false);
        foreach (var id in Names(host.Paths.Sandboxes).Where(IsOrphan))
        {
            await TryAsync("state directory", id, () =>
            {
                Directory.Delete(host.Paths.SandboxState(Parse(id)), recursive: true);
                return Task.CompletedTask;
            }).ConfigureAwait(false);
        }

        await TryAsync("templates", "pool", () => host.Templates.ReclaimAsync(cancellationToken)).ConfigureAwait(false);
        await TryAsync("half-made volumes", "pool", () => volumes.ReclaimAsync(cancellationToken)).ConfigureAwait(false);
    }

    /// <summary>Snapshots of sandboxes whose destruction was cut short, and volumes of no snapshot.</summary>
    private async Task ReclaimSnapshotsAsync(IVolumeStore volumes, CancellationToken cancellationToken)
    {
        var store = new SnapshotStore(host);
        foreach (var gone in host.Snapshots.All().Where(s => !s.Held && IsOrphan(s.Sandbox.Value)).Select(static s => s.Sandbox).Distinct().ToArray())
        {
            await TryAsync("snapshots of sandbox", gone.Value, () => store.ForgetAsync(gone)).ConfigureAwait(false);
        }

        foreach (var key in volumes.List(VolumeKind.Snapshot).Where(key => !host.Snapshots.Needs(key)))
        {
            await TryAsync("snapshot volume", key, () => volumes.DeleteAsync(VolumeKind.Snapshot, key, cancellationToken)).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private static SandboxId Parse(string text) => SandboxId.TryParse(text, out var id) ? id : throw new FormatException($"{text} is not a sandbox id");

    private static List<string> Names(string directory) =>
        Directory.Exists(directory) ? Directory.EnumerateDirectories(directory).Select(static d => Path.GetFileName(d)).ToList() : [];

    private List<string> CgroupNames() =>
        [.. CgroupHierarchies.Current.Roots.SelectMany(root => Names(root + host.Config.Runtime.CgroupRoot)).Distinct(StringComparer.Ordinal)];

    private async Task RemoveCgroupAsync(string id, CancellationToken cancellationToken)
    {
        var cgroup = new SandboxCgroup(host.Config.Runtime.CgroupRoot.TrimEnd('/') + "/" + id);
        await cgroup.KillAsync(KillTime, cancellationToken).ConfigureAwait(false);
        if (!cgroup.Remove())
        {
            throw new IOException("it is still in use");
        }
    }

    private bool IsOrphan(string name) => SandboxId.TryParse(name, out _) && !workflows.Warm.Contains(name) && !host.Catalog.Contains(name) && !quarantined.Any(q => q.Id == name);

    private async Task TryAsync(string what, string name, Func<Task> remove)
    {
        try
        {
            await remove().ConfigureAwait(false);
            if (name != "pool")
            {
                LogRemoved(what, name);
            }
        }
        catch (Exception e)
        {
            LogFailed(e, what, name);
            host.Leftovers.Add("orphaned " + what, name, e, remove);
        }
    }

    [LoggerMessage(EventId = 1611, Level = LogLevel.Warning, Message = "removed orphaned {What} {Name}")]
    private partial void LogRemoved(string what, string name);

    [LoggerMessage(EventId = 1612, Level = LogLevel.Error, Message = "removing orphaned {What} {Name} failed; it is tried again until it is gone")]
    private partial void LogFailed(Exception exception, string what, string name);
}
