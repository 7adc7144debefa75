using Vivarium.Volumes.Btrfs;
using Vivarium.Volumes.LocalDisk;

namespace Vivarium.Volumes.Selection;

/// <summary>Opens the store a configuration asks for.</summary>
public static class VolumeStores
{
    /// <summary>An open store and why it is this one.</summary>
    public sealed record Opened(IVolumeStore Store, StoreChoice Choice);

    /// <summary>
    /// Chooses, makes what is missing (a pool file takes about a tenth of a second), mounts, and returns a store ready for use. Leftovers of crashes stay until
    /// <see cref="IVolumeStore.ReclaimAsync"/>. The caller holds the lock of the state directory: one daemon a pool.
    /// </summary>
    public static async Task<Opened> OpenAsync(PoolOptions options, CancellationToken cancellationToken)
    {
        var choice = StoreSelection.Choose(options);
        IPoolBacking? backing = choice.Kind switch
        {
            StoreKind.BtrfsFile => await PoolFile.OpenAsync(options.Directory, options.SizeBytes, cancellationToken).ConfigureAwait(false),
            StoreKind.BtrfsNative => new NativeBacking(),
            _ => null,
        };
        var layout = new PoolLayout(options.Directory);
        layout.EnsureFolders();
        IVolumeStore store = backing is null ? new LocalDiskVolumeStore(layout) : new BtrfsVolumeStore(layout, backing);
        return new Opened(store, choice);
    }
}
