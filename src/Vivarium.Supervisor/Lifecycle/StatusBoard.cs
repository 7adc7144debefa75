using Vivarium.Supervisor.Streams;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor.Lifecycle;

/// <summary>The phase the sandbox is in, and who wants to hear of changes.</summary>
internal sealed class StatusBoard(Activity activity)
{
    private readonly Lock gate = new();
    private readonly List<Action<SupervisorEvent>> listeners = [];
    private string phase = SupervisorPhase.Preparing;
    private string? reason;
    private string? message;

    /// <summary>Random id of this boot of the guest, once it said hello.</summary>
    public string? BootId { get; set; }

    /// <summary>Processes launched here that still run.</summary>
    public Func<int> RunningProcesses { get; set; } = static () => 0;

    /// <summary>Phase now.</summary>
    public string Phase
    {
        get
        {
            lock (gate)
            {
                return phase;
            }
        }
    }

    /// <summary>Status now.</summary>
    public SupervisorStatus Now
    {
        get
        {
            lock (gate)
            {
                return new SupervisorStatus
                {
                    Phase = phase,
                    Reason = reason,
                    Message = message,
                    BootId = BootId,
                    LastActivityUnixMs = activity.LastUnixMs,
                    OpenStreams = activity.OpenStreams,
                    RunningProcesses = RunningProcesses(),
                };
            }
        }
    }

    /// <summary>Changes the phase and tells everybody. Nothing follows <c>stopped</c> and <c>failed</c>, and only they follow <c>stopping</c>.</summary>
    public void Set(string next, string? why = null, string? sentence = null)
    {
        lock (gate)
        {
            if (IsFinal(phase) || (phase == SupervisorPhase.Stopping && !IsFinal(next)))
            {
                return;
            }

            (phase, reason, message) = (next, why, sentence);
        }

        Publish(new SupervisorEvent { Type = "phase", Status = Now });
    }

    /// <summary>Changes the phase only from the expected one; false when it was another.</summary>
    public bool TryMove(string from, string next)
    {
        lock (gate)
        {
            if (phase != from)
            {
                return false;
            }

            (phase, reason, message) = (next, null, null);
        }

        Publish(new SupervisorEvent { Type = "phase", Status = Now });
        return true;
    }

    /// <summary>Tells everybody that a launched process has ended.</summary>
    public void ProcessExited(int pid, ExecControl? exit) => Publish(new SupervisorEvent { Type = "process_exited", Pid = pid, Exit = exit });

    /// <summary>Tells everybody that the out-of-memory killer struck.</summary>
    public void OomStruck() => Publish(new SupervisorEvent { Type = "oom", Status = Now });

    /// <summary>Adds a listener, which must not block; disposing removes it.</summary>
    public IDisposable Subscribe(Action<SupervisorEvent> listener)
    {
        lock (gate)
        {
            listeners.Add(listener);
        }

        return new Subscription(this, listener);
    }

    private static bool IsFinal(string phase) => phase is SupervisorPhase.Stopped or SupervisorPhase.Failed;

    private void Publish(SupervisorEvent change)
    {
        Action<SupervisorEvent>[] all;
        lock (gate)
        {
            all = [.. listeners];
        }

        foreach (var listener in all)
        {
            listener(change);
        }
    }

    private sealed class Subscription(StatusBoard board, Action<SupervisorEvent> listener) : IDisposable
    {
        public void Dispose()
        {
            lock (board.gate)
            {
                board.listeners.Remove(listener);
            }
        }
    }
}
