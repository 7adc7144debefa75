using Vivarium.Wire.Errors;

namespace Vivarium.Guest.Processes;

/// <summary>The processes the agent started: those that run, and for a while those that ended, so that a late attachment still learns how.</summary>
internal sealed class ProcessTable
{
    /// <summary>How long the end of a process is remembered.</summary>
    public static readonly TimeSpan RememberFor = TimeSpan.FromMinutes(10);

    /// <summary>How many ends are remembered.</summary>
    public const int RememberCount = 1000;

    /// <summary>Bytes of output kept for all ended processes together.</summary>
    private const long EndedOutputBound = 16 * 1024 * 1024;

    private readonly Lock _gate = new();
    private readonly Dictionary<int, ManagedProcess> _byPid = [];
    private readonly Dictionary<string, ManagedProcess> _byTag = [];
    private readonly Queue<ManagedProcess> _ended = new();
    private readonly TimeProvider _clock = TimeProvider.System;
    private long _endedOutput;
    private int _running;
    private bool _closed;

    /// <summary>Raised when a process has ended and is reported so.</summary>
    public event Action<ManagedProcess>? Exited;

    /// <summary>Processes that run now.</summary>
    public int Running
    {
        get
        {
            lock (_gate)
            {
                return _running;
            }
        }
    }

    /// <summary>Why nothing may be started now; null when it may.</summary>
    public string? RefusedBecause { get; set; }

    /// <summary>Starts a process and remembers it, in one step: a tag is never given twice.</summary>
    public ManagedProcess Start(string? tag, Func<Action<ManagedProcess>, ManagedProcess> start)
    {
        lock (_gate)
        {
            if (_closed || RefusedBecause is not null)
            {
                throw new VivariumException(ErrorCode.FailedPrecondition, RefusedBecause ?? "the sandbox is stopping");
            }

            if (tag is not null && _byTag.TryGetValue(tag, out var holder) && !holder.Exited.IsCompleted)
            {
                throw new VivariumException(ErrorCode.AlreadyExists, $"a process with the tag '{tag}' is running already (pid {holder.Pid})");
            }
        }

        // Not under the lock: starting takes the better part of a millisecond, and others start too.
        var process = start(OnExited);
        lock (_gate)
        {
            if (_byPid.TryGetValue(process.Pid, out var earlier))
            {
                earlier.OwnsPid = false;
            }

            _byPid[process.Pid] = process;
            _running++;
            if (tag is not null)
            {
                _byTag[tag] = process;
            }

            Forget();
        }

        return process;
    }

    /// <summary>Finds by pid or tag; not_found otherwise.</summary>
    public ManagedProcess Find(int? pid, string? tag)
    {
        lock (_gate)
        {
            Forget();
            ManagedProcess? found = null;
            if (tag is not null ? _byTag.TryGetValue(tag, out found) : _byPid.TryGetValue(pid ?? 0, out found))
            {
                return found!;
            }
        }

        throw new VivariumException(
            ErrorCode.NotFound,
            tag is not null ? $"no process has the tag '{tag}'" : $"no process with pid {pid} was started here, or it ended too long ago",
            reason: "no_such_process");
    }

    /// <summary>All that are known, the running first, then the latest end first.</summary>
    public IReadOnlyList<ManagedProcess> All()
    {
        lock (_gate)
        {
            Forget();
            var running = _byPid.Values.Where(static process => !process.Exited.IsCompleted).OrderBy(static process => process.Pid);
            return [.. running, .. _ended.Reverse().Where(process => _byPid.GetValueOrDefault(process.Pid) == process)];
        }
    }

    /// <summary>Refuses new processes for good and returns those that run.</summary>
    public IReadOnlyList<ManagedProcess> Close()
    {
        lock (_gate)
        {
            _closed = true;
            return [.. _byPid.Values.Where(static process => !process.Exited.IsCompleted)];
        }
    }

    /// <summary>Forgets all that ended: what ran before the sandbox was somebody's is nobody's business.</summary>
    public void ForgetEnded()
    {
        lock (_gate)
        {
            while (_ended.TryDequeue(out var process))
            {
                Drop(process);
            }

            _endedOutput = 0;
        }
    }

    private void OnExited(ManagedProcess process)
    {
        lock (_gate)
        {
            _running--;
            _ended.Enqueue(process);
            _endedOutput += process.Output.Held;
            Forget();
        }

        Exited?.Invoke(process);
    }

    private void Drop(ManagedProcess ended)
    {
        ended.Output.Shrink(0);
        if (_byPid.GetValueOrDefault(ended.Pid) == ended)
        {
            _byPid.Remove(ended.Pid);
        }

        if (ended.Tag is { } tag && _byTag.GetValueOrDefault(tag) == ended)
        {
            _byTag.Remove(tag);
        }
    }

    private void Forget()
    {
        while (_ended.TryPeek(out var oldest) && (_ended.Count > RememberCount || _clock.GetElapsedTime(oldest.ExitedTimestamp) > RememberFor))
        {
            _ended.Dequeue();
            _endedOutput -= oldest.Output.Held;
            Drop(oldest);
        }

        if (_endedOutput <= EndedOutputBound)
        {
            return;
        }

        // The oldest ends lose their output first; how they ended is still known.
        long total = 0;
        foreach (var process in _ended.Reverse())
        {
            total += process.Output.Held;
            if (total > EndedOutputBound)
            {
                total -= process.Output.Held;
                process.Output.Shrink(0);
            }
        }

        _endedOutput = total;
    }
}
