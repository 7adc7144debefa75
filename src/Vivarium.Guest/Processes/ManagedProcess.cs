using Vivarium.Linux.Processes;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Processes;

/// <summary>
/// A process the agent started, from its start until it is forgotten. It lives apart from the connections attached to it.
/// <code>
/// started ── leader dies ──► draining ── its output is in the log, or 100 ms ──► exited (reported, remembered)
///    └── timeout, kill: the whole tree gets SIGKILL ──┘
/// </code>
/// </summary>
internal sealed class ManagedProcess
{
    /// <summary>How long a child that was left behind may hold an output pipe before the exit is reported without waiting for more.</summary>
    private static readonly TimeSpan DrainGrace = TimeSpan.FromMilliseconds(100);

    /// <summary>The same for a terminal's chatty leftovers, which have no measurable end.</summary>
    private static readonly TimeSpan TerminalDrainGrace = TimeSpan.FromMilliseconds(200);

    private readonly ProcessStart _start;
    private readonly ChildProcess _child;
    private readonly OomWatch _oom;
    private readonly long _startTimestamp = TimeProvider.System.GetTimestamp();
    private readonly TaskCompletionSource<ExecControl> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _timedOut;
    private volatile bool _killedByUs;

    public ManagedProcess(ProcessStart start, ChildProcess child, OomWatch oom, Action<ManagedProcess> onExited)
    {
        _start = start;
        _child = child;
        _oom = oom;
        Output.Begin();
        _ = WatchAsync(onExited);
    }

    /// <summary>Process id inside the sandbox.</summary>
    public int Pid => _child.Pid;

    /// <summary>The caller's name for it.</summary>
    public string? Tag => _start.Tag;

    /// <summary>See <see cref="ProcessMark"/>.</summary>
    public uint Mark => _start.Mark;

    /// <summary>Whether the pid, and the session of that number, is still this process's; false once a later process got the same pid.</summary>
    public bool OwnsPid { get; set; } = true;

    /// <summary>Its output.</summary>
    public OutputLog Output => _start.Output;

    /// <summary>Its input; null when it has none.</summary>
    public StdinQueue? Input => _start.Input;

    /// <summary>Whether it runs on a terminal.</summary>
    public bool HasTerminal => _start.Terminal is not null;

    /// <summary>Completes with the exit message once it has ended and its output is in the log.</summary>
    public Task<ExecControl> Exited => _exited.Task;

    /// <summary>When it was reported as ended, as a timestamp of <see cref="TimeProvider"/>.</summary>
    public long ExitedTimestamp { get; private set; }

    /// <summary>Signals its process group.</summary>
    public void SignalGroup(int signal)
    {
        NoteSignal(signal);
        _child.SignalGroup(signal);
    }

    /// <summary>Signals the process alone.</summary>
    public void SignalLeader(int signal)
    {
        NoteSignal(signal);
        _child.Signal(signal);
    }

    /// <summary>Signals everything in its tree; a kill goes on until nobody is left.</summary>
    public Task SignalTreeAsync(int signal)
    {
        NoteSignal(signal);
        if (signal == Signals.SIGKILL)
        {
            return ProcessTree.KillAsync(this);
        }

        ProcessTree.Signal(this, signal);
        return Task.CompletedTask;
    }

    /// <summary>Asks the tree by a signal to end, then kills it.</summary>
    public Task EndTreeAsync(int signal, TimeSpan grace)
    {
        _killedByUs = true;
        return ProcessTree.EndAsync(this, signal, grace);
    }

    /// <summary>Sets the size of the terminal, which tells the foreground process group by SIGWINCH.</summary>
    public void Resize(int cols, int rows)
    {
        if (_start.Terminal is { } terminal)
        {
            terminal.Use(fd => TerminalSize.Set(fd, cols, rows));
            _start.GvisorTerminal?.AnnounceSize();
        }
    }

    /// <summary>As the control port shows it.</summary>
    public GuestProcess Describe() => new()
    {
        Pid = Pid,
        Tag = Tag,
        Argv = _start.Argv,
        User = _start.User,
        Cwd = _start.Cwd,
        Tty = HasTerminal,
        Status = Exited.IsCompleted ? "exited" : "running",
        StartedUnixMs = _start.StartedUnixMs,
        Exit = Exited.IsCompletedSuccessfully ? Exited.Result : null,
        TreeSize = ProcessTree.Members(this).Count,
        Attached = Output.Attached,
    };

    private void NoteSignal(int signal) => _killedByUs |= signal == Signals.SIGKILL;

    private async Task WatchAsync(Action<ManagedProcess> onExited)
    {
        var exit = await EndOrTimeoutAsync();
        var duration = TimeProvider.System.GetElapsedTime(_startTimestamp);
        foreach (var pump in _start.Pumps)
        {
            pump.OnLeaderEnded();
        }

        _start.Input?.Abandon();
        await DrainAsync();
        var suspicious = !_timedOut && !_killedByUs && (exit.Signal == Signals.SIGKILL || exit.Code == 128 + Signals.SIGKILL);
        var oom = suspicious && await _oom.StruckAsync(_start.OomCountAtStart);
        Output.End();

        // A terminal ends with its session leader: what is left on it is hung up.
        _start.Terminal?.Dispose();
        ExitedTimestamp = TimeProvider.System.GetTimestamp();
        _exited.SetResult(new ExecControl
        {
            Type = "exit",
            Code = exit.Code,
            Signal = exit.Signal,
            Oom = oom ? true : null,
            TimedOut = _timedOut ? true : null,
            DurationMs = (long)duration.TotalMilliseconds,
            Rusage = new ExecUsage
            {
                UserUs = (long)exit.UserTime.TotalMicroseconds,
                SystemUs = (long)exit.SystemTime.TotalMicroseconds,
                MaxRssBytes = exit.MaxRssBytes,
            },
        });
        onExited(this);
    }

    private async Task<ChildExit> EndOrTimeoutAsync()
    {
        if (_start.Timeout is not { } timeout)
        {
            return await _child.Exited;
        }

        try
        {
            // CancellationToken.None: a process's time limit is its own, whoever is attached.
            return await _child.Exited.WaitAsync(timeout, TimeProvider.System, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            _timedOut = true;
            await ProcessTree.KillAsync(this);
            return await _child.Exited;
        }
    }

    private async Task DrainAsync()
    {
        if (_start.Pumps.Count == 0)
        {
            return;
        }

        var all = Task.WhenAll(_start.Pumps.Select(static pump => pump.Ended));
        if (all.IsCompleted)
        {
            return;
        }

        var grace = Task.Delay(DrainGrace, TimeProvider.System, CancellationToken.None);
        if (await Task.WhenAny(all, grace) == all)
        {
            return;
        }

        var drained = Task.WhenAll(_start.Pumps.Select(static pump => pump.Drained));
        if (HasTerminal)
        {
            await Task.WhenAny(all, drained, Task.Delay(TerminalDrainGrace, TimeProvider.System, CancellationToken.None));
        }
        else
        {
            await Task.WhenAny(all, drained);
        }
    }
}
