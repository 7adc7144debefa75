namespace Vivarium.Transport;

/// <summary>
/// Gives memory back to the kernel once a burst of work is over: what pools and the collector keep for the next burst is worth more to the other sandboxes of the
/// host. Costs nothing while nothing happens: the timer runs only after work, once.
/// </summary>
public sealed class IdleTrim
{
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly ITimer _timer;
    private readonly Action? _trimPools;
    private bool _armed;
    private bool _worked;

    /// <summary>Nothing happens before the first <see cref="Worked"/>.</summary>
    /// <param name="trimPools">Empties the program's own pools.</param>
    public IdleTrim(Action? trimPools = null)
    {
        _trimPools = trimPools;
        _timer = TimeProvider.System.CreateTimer(_ => OnTimer(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Something was done.</summary>
    public void Worked()
    {
        lock (_gate)
        {
            _worked = _armed;
            if (!_armed)
            {
                _armed = true;
                _timer.Change(Quiet, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private void OnTimer()
    {
        lock (_gate)
        {
            if (_worked)
            {
                _worked = false;
                _timer.Change(Quiet, Timeout.InfiniteTimeSpan);
                return;
            }

            _armed = false;
        }

        _trimPools?.Invoke();
        Yamux.PiecePool.Trim();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }
}
