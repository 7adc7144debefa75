using Vivarium.Host.Engines;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Supervision;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Snapshots;

/// <summary>
/// Volumes that hold saved memory. As with snapshots, one is made before the record that names it and removed after it, so a crash leaves an orphan that the next start removes.
/// </summary>
internal sealed class MemoryImages(HostServices host)
{
    private const string KeySuffix = "-memory";

    /// <summary>Whether this sandbox's memory can be saved as it runs now.</summary>
    public static bool CanSave(SupervisorLink? link) => link is { IsOver: false, Incompatible: null, Info: { Capabilities.Checkpoint: true, EngineVersion: not null } };

    /// <summary>A new image for a sandbox that can be saved.</summary>
    /// <exception cref="VivariumException">failed_precondition <c>memory_snapshots_not_available</c> or <c>no_memory</c>, saying why.</exception>
    public async Task<MemoryImage> PlanAsync(Sandbox sandbox, string what, CancellationToken cancellationToken)
    {
        var record = sandbox.Record;
        if (sandbox.Link is not { IsOver: false } link)
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"{what}: it is {record.State} and has no processes, so there is no memory to keep", "Leave --memory out, or start it first.", "no_memory");
        }

        if (!CanSave(link))
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition, $"{what} with its memory: {await ReasonAsync(record, link, cancellationToken).ConfigureAwait(false)}", "Leave --memory out: then its files are kept.", "memory_snapshots_not_available");
        }

        var version = link.Info.EngineVersion!;
        return await host.Engines.FindSaverAsync(record.Engine, version, cancellationToken).ConfigureAwait(false) is null
            ? throw Gone(what, record.Engine, version, "Restart the sandbox: viv restart.")
            : new MemoryImage(SnapshotId.New().Value + KeySuffix, record.Engine, version);
    }

    /// <summary>The engine that reads an image that is there.</summary>
    /// <exception cref="VivariumException">failed_precondition: image or engine is not there any more.</exception>
    public async Task<EngineChoice> EngineAsync(IVolumeStore volumes, MemoryImage image, string what, string hint, CancellationToken cancellationToken)
    {
        if (!volumes.Exists(VolumeKind.Snapshot, image.Key))
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"{what}: its saved memory is no longer there", hint, "no_memory");
        }

        return await host.Engines.FindSaverAsync(image.Engine, image.Version, cancellationToken).ConfigureAwait(false) ?? throw Gone(what, image.Engine, image.Version, hint);
    }

    /// <summary>The directory of a complete image.</summary>
    public static string PathOf(IVolumeStore volumes, MemoryImage image) => volumes.PathOf(VolumeKind.Snapshot, image.Key);

    /// <summary>Makes what was saved whole and durable.</summary>
    public static async Task<MemoryImage> CommitAsync(IVolumeStore volumes, MemoryImage image)
    {
        // Seen through once begun: what it belongs to is made already.
        await volumes.CommitAsync(VolumeKind.Snapshot, image.Key, image.Key, CancellationToken.None).ConfigureAwait(false);
        return image with { Bytes = new DirectoryInfo(PathOf(volumes, image)).EnumerateFiles("*", SearchOption.AllDirectories).Sum(static file => file.Length) };
    }

    /// <summary>Removes an image when nothing needs it any more.</summary>
    public Task ReleaseAsync(MemoryImage? image) => image is null ? Task.CompletedTask : new SnapshotStore(host).ReleaseAsync(image.Key);

    private static VivariumException Gone(string what, string engine, string version, string hint) => new(
        ErrorCode.FailedPrecondition, $"{what}: {engine} {version} is not on this machine any more, and no other version can work with what it saves", hint, "memory_engine_missing");

    private async Task<string> ReasonAsync(SandboxRecord record, SupervisorLink link, CancellationToken cancellationToken)
    {
        if (record.Runtime != "gvisor")
        {
            return $"the runtime {record.Runtime} ({record.Engine}) cannot save memory, gvisor can";
        }

        if (link.Info.Version is { } version && link.Info.EngineVersion is null)
        {
            return $"it runs under a supervisor of version {version}, which cannot; after viv restart it can";
        }

        var engines = await host.Engines.ListAsync(cancellationToken).ConfigureAwait(false);
        var better = engines.Any(static e => e is { Works: true, MemorySnapshots: true }) ? "; after viv restart it runs on one that can" : ", one of 20240729 or newer can";
        return $"{record.Engine} {link.Info.EngineVersion} cannot save memory{better}";
    }
}
