namespace Vivarium.Guest.Init;

/// <summary>
/// Gives memory back to the kernel once a burst of work is over: what pools and the collector keep for the next burst is worth more to the other sandboxes of the
/// host. Costs nothing while nothing happens: the timer runs only after work, once.
/// </summary>
internal sealed class IdleTrim
{
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly ITimer _timer;
    private bool _armed;
    private bool _worked;

    public IdleTrim() => _timer = TimeProvider.System.CreateTimer(_ => OnTimer(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

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

        Processes.BlockPool.Trim();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }
}
