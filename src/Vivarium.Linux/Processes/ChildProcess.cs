namespace Vivarium.Linux.Processes;

/// <summary>A child of this process. It is collected by the <see cref="Reaper"/>; nothing needs disposing, and forgetting it does not end it.</summary>
public sealed class ChildProcess
{
    private ChildProcess(int pid, Task<ChildExit> exited)
    {
        Pid = pid;
        Exited = exited;
    }

    /// <summary>Its process id; may belong to another process once <see cref="Exited"/> has completed.</summary>
    public int Pid { get; }

    /// <summary>Completes when it has ended, whether or not somebody still holds its output pipes.</summary>
    public Task<ChildExit> Exited { get; }

    /// <summary>Starts a program; returns when it has been executed, typically within a millisecond.</summary>
    /// <exception cref="SpawnException">It could not be started; says at which step.</exception>
    public static ChildProcess Start(SpawnOptions options)
    {
        var (pid, exited) = options.ParentDeathSignal == 0 || options.CallerStays
            ? Reaper.Spawn(SpawnRequest.Spawn, options)
            : Reaper.Spawn(SpawnThread.Spawn, options);
        return new ChildProcess(pid, exited);
    }

    /// <summary>Sends a signal; does nothing once it has ended. Never hits another process that got the same pid.</summary>
    public void Signal(int signal) => Reaper.Signal(Pid, group: false, signal);

    /// <summary>Sends a signal to its process group; right only for one started with <see cref="SpawnOptions.NewSession"/>.</summary>
    public void SignalGroup(int signal) => Reaper.Signal(Pid, group: true, signal);
}
