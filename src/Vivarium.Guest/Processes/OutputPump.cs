using Vivarium.Guest.Io;

namespace Vivarium.Guest.Processes;

/// <summary>
/// Moves what a process writes to one pipe or terminal into its <see cref="OutputLog"/> until the last writer is gone, also after the process's own
/// end: a child it left behind may still write, and must not be stopped by a closed pipe.
/// </summary>
internal sealed class OutputPump
{
    private const int LargePipe = 1024 * 1024;
    private const int LargeRead = 48 * 1024;
    private const int TerminalLeftover = 64 * 1024;

    private readonly PolledFd _source;
    private readonly byte _channel;
    private readonly OutputLog _log;
    private readonly bool _terminal;
    private readonly AsyncSignal _room = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _leaderEnded;
    private long _leftover = -1;
    private bool _enlarged;

    /// <summary>Starts pumping.</summary>
    /// <param name="source">The reading end; closed at the end.</param>
    /// <param name="channel">Channel of the frames.</param>
    /// <param name="log">Where the output goes.</param>
    /// <param name="terminal">Whether it is a terminal's master, which reports hang-ups by an error and cannot tell what is left.</param>
    public OutputPump(PolledFd source, byte channel, OutputLog log, bool terminal)
    {
        _source = source;
        _channel = channel;
        _log = log;
        _terminal = terminal;
        log.AddWriter(_room);
        if (KernelQuirks.IsGvisor && !terminal)
        {
            source.EnlargePipe(LargePipe);
            _enlarged = true;
        }

        Ended = RunAsync();
    }

    /// <summary>Completes when the last writer is gone.</summary>
    public Task Ended { get; }

    /// <summary>Completes when everything the process itself wrote before its end is in the log.</summary>
    public Task Drained => _drained.Task;

    /// <summary>Says that the process itself has ended: what it wrote is what the pipe holds now.</summary>
    public void OnLeaderEnded()
    {
        _leaderEnded = true;
        _source.Wake();
        _room.Set();
    }

    private async Task RunAsync()
    {
        try
        {
            await _source.WaitReadableAsync();
            while (true)
            {
                var available = _source.Available();
                if (_leaderEnded && _leftover < 0)
                {
                    _leftover = _terminal ? TerminalLeftover : Math.Max(0, available);
                    if (_leftover == 0)
                    {
                        _drained.TrySetResult();
                    }
                }

                // What a dead process left is taken in whether or not its readers keep up: its end must not wait for them.
                if (_leftover <= 0 && _log.Room() == 0)
                {
                    await _room.WaitAsync();
                    continue;
                }

                var count = _log.ReadFrom(_source, _channel, available);
                if (count > 0)
                {
                    OnRead(count);
                }
                else if (count == 0 || (count == PolledFd.Gone && (!_terminal || _leaderEnded)))
                {
                    return;
                }
                else
                {
                    // Nothing left now. A terminal nobody has open may be opened again while its session leader lives.
                    if (_leaderEnded)
                    {
                        _drained.TrySetResult();
                    }

                    await _source.WaitReadableAsync();
                }
            }
        }
        finally
        {
            _drained.TrySetResult();
            _source.Dispose();
        }
    }

    private void OnRead(int count)
    {
        if (_leftover >= 0)
        {
            _leftover -= count;
            if (_leftover <= 0)
            {
                _drained.TrySetResult();
            }
        }

        if (count >= LargeRead && !_enlarged && !_terminal)
        {
            // A process that writes much gets a larger pipe: fewer turns between it and us. Not all do: large pipes are rationed per user.
            _source.EnlargePipe(LargePipe);
            _enlarged = true;
        }
    }
}
