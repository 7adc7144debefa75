using Microsoft.Extensions.Logging;
using Vivarium.Host.Health;
using Vivarium.Volumes;

namespace Vivarium.Host.Pool;

/// <summary>
/// The volume store, opened in the background so that the daemon answers while a pool is being made or mounted. A failure is a health condition; the next
/// call that needs the pool tries again.
/// </summary>
internal sealed partial class VolumePool(
    Func<CancellationToken, Task<IVolumeStore>> open, HealthConditions health, Action<PoolHealth> changed, ILogger<VolumePool> logger) : IAsyncDisposable
{
    private const string Condition = "pool";

    private readonly Lock gate = new();
    private readonly CancellationTokenSource closing = new();
    private Task<IVolumeStore>? opening;
    private PoolState lastState = PoolState.Healthy;

    /// <summary>The store; waits while it is being opened.</summary>
    public Task<IVolumeStore> GetAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (opening is null or { IsFaulted: true } or { IsCanceled: true })
            {
                // Tied to the daemon, not to the request that happened to be first.
                opening = Task.Run(() => OpenAsync(closing.Token), closing.Token);
            }

            return opening.IsCompletedSuccessfully ? opening : opening.WaitAsync(cancellationToken);
        }
    }

    /// <summary>The store when it is open already.</summary>
    public IVolumeStore? Current
    {
        get
        {
            lock (gate)
            {
                return opening is { IsCompletedSuccessfully: true } ? opening.Result : null;
            }
        }
    }

    /// <summary>Looks at the space and sets or clears the health condition; called when the pool is used anyway, so an idle daemon does nothing.</summary>
    public async Task<PoolHealth> CheckAsync(IVolumeStore store, CancellationToken cancellationToken)
    {
        var found = await store.HealthAsync(cancellationToken).ConfigureAwait(false);
        if (found.State == PoolState.Healthy)
        {
            health.Clear(Condition);
        }
        else
        {
            health.Set(Condition, found.State == PoolState.Degraded ? HealthConditions.Degraded : HealthConditions.Unhealthy, found.Message);
        }

        bool other;
        lock (gate)
        {
            other = found.State != lastState;
            lastState = found.State;
        }

        if (other)
        {
            changed(found);
        }

        return found;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await closing.CancelAsync().ConfigureAwait(false);
        if (Current is { } store)
        {
            await store.DisposeAsync().ConfigureAwait(false);
        }

        closing.Dispose();
    }

    private async Task<IVolumeStore> OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            var store = await open(cancellationToken).ConfigureAwait(false);
            health.Clear(Condition);
            LogOpen(store.Name);
            return store;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            health.Set(Condition, HealthConditions.Unhealthy, e.Message);
            LogFailed(e);
            throw;
        }
    }

    [LoggerMessage(EventId = 1701, Level = LogLevel.Information, Message = "volume store {Name} is open")]
    private partial void LogOpen(string name);

    [LoggerMessage(EventId = 1702, Level = LogLevel.Error, Message = "the volume store cannot be opened")]
    private partial void LogFailed(Exception exception);
}
