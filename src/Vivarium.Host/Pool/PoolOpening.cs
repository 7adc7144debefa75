using Microsoft.Extensions.Logging;
using Vivarium.Configuration;
using Vivarium.Host.Recovery;
using Vivarium.Volumes;
using Vivarium.Volumes.Selection;

namespace Vivarium.Host.Pool;

/// <summary>Opens the volume store the configuration asks for.</summary>
internal static partial class PoolOpening
{
    /// <summary>Opens it and logs why it is this one.</summary>
    public static async Task<IVolumeStore> OpenAsync(VivariumConfig config, HostPaths paths, ILoggerFactory loggers, Leftovers leftovers, CancellationToken cancellationToken)
    {
        var opened = await VolumeStores.OpenAsync(
            new PoolOptions { StateDirectory = paths.State, Store = config.Pool.Store, SizeBytes = config.Pool.Size.Bytes, Path = config.Pool.Path },
            cancellationToken).ConfigureAwait(false);
        var logger = loggers.CreateLogger("Vivarium.Host.Pool");
        LogChoice(logger, opened.Choice.Kind, opened.Choice.Reason);
        var store = opened.Store;
        store.LeftBehind = why => leftovers.Add("half-removed volumes in", "the pool", why, () => store.ReclaimAsync(CancellationToken.None)); // its own deadline bounds it
        return store;
    }

    [LoggerMessage(EventId = 1711, Level = LogLevel.Information, Message = "volume store chosen: {Kind}: {Reason}")]
    private static partial void LogChoice(ILogger logger, StoreKind kind, string reason);
}
