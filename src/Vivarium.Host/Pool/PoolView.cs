using Vivarium.Host.Sandboxes;
using Vivarium.Volumes;
using Vivarium.Volumes.Selection;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Pool;

/// <summary>The calls about the pool itself.</summary>
internal sealed class PoolView(HostServices host)
{
    /// <summary>The word of a state, for answers and events.</summary>
    public static string Word(PoolState state) => state switch
    {
        PoolState.Healthy => "healthy",
        PoolState.Degraded => "degraded",
        PoolState.Critical => "critical",
        _ => "unusable",
    };

    /// <summary>How it is.</summary>
    public async Task<PoolInfo> ShowAsync(CancellationToken cancellationToken)
    {
        var store = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        var health = await host.Pool.CheckAsync(store, cancellationToken).ConfigureAwait(false);
        var space = health.State == PoolState.Unusable ? new PoolSpace(0, 0, 0) : await store.SpaceAsync(cancellationToken).ConfigureAwait(false);
        return new PoolInfo
        {
            Store = store.Name,
            Path = new PoolOptions { StateDirectory = host.Paths.State, Path = host.Config.Pool.Path }.Directory,
            State = Word(health.State),
            Message = health.Message,
            TotalBytes = space.TotalBytes,
            UsedBytes = space.UsedBytes,
            FreeBytes = space.FreeBytes,
            WarnFraction = PoolHealth.WarnFraction,
            CriticalFraction = PoolHealth.CriticalFraction,
            Sandboxes = store.List(VolumeKind.Sandbox).Count,
            Templates = store.List(VolumeKind.Template).Count,
            Snapshots = store.List(VolumeKind.Snapshot).Count,
            CanSnapshot = store.Capabilities.Snapshots,
            CanLimit = store.Capabilities.Quota,
        };
    }

    /// <summary>Makes it larger while it is in use.</summary>
    public async Task<PoolInfo> GrowAsync(long totalBytes, CancellationToken cancellationToken)
    {
        var store = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        await store.GrowAsync(totalBytes, cancellationToken).ConfigureAwait(false);
        return await ShowAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads all of it. Goes on to its end when the caller leaves.</summary>
    public async Task<PoolCheckReply> CheckAsync(CancellationToken cancellationToken)
    {
        var store = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        var found = await store.CheckAsync(CancellationToken.None /* the kernel's own scan: it has an end */).WaitAsync(cancellationToken).ConfigureAwait(false);
        await host.Pool.CheckAsync(store, cancellationToken).ConfigureAwait(false);
        return new PoolCheckReply { Bytes = found.Bytes, Errors = found.Errors, Corrected = found.Corrected, Uncorrectable = found.Uncorrectable };
    }
}
