using Vivarium.Runtimes;
using Vivarium.Supervisor.Logs;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor.Lifecycle;

/// <summary>Freezes the sandbox in memory and thaws it, and saves its processes and memory. One of these at a time; a snapshot's hold waits for its turn as well.</summary>
/// <param name="runtime">The engine.</param>
/// <param name="board">Phase.</param>
/// <param name="cachingGuest">Control connection of a guest that keeps written data to itself; null where the host sees what is written at once.</param>
/// <param name="state">What to keep beside saved memory, as it is now.</param>
/// <param name="log">Log.</param>
internal sealed class Pausing(ISandboxRuntime runtime, StatusBoard board, Func<ControlClient?> cachingGuest, Func<SavedSandbox> state, SupervisorLog log) : IDisposable
{
    private static readonly TimeSpan QuiesceDeadline = TimeSpan.FromSeconds(30);

    private string? savedTo;

    /// <summary>Held by whoever lets the sandbox stand still.</summary>
    public SemaphoreSlim Turn { get; } = new(1, 1);

    /// <summary>Freezes every process of the sandbox.</summary>
    public Task PauseAsync(CancellationToken cancellationToken) => MoveAsync(
        "pause", SupervisorPhase.Running, SupervisorPhase.Pausing, SupervisorPhase.Paused, () => StandAsync(() => runtime.PauseAsync(cancellationToken), cancellationToken), cancellationToken);

    /// <summary>Lets them go on.</summary>
    public Task ResumeAsync(CancellationToken cancellationToken) =>
        MoveAsync("resume", SupervisorPhase.Paused, SupervisorPhase.Resuming, SupervisorPhase.Running, () => GoOnAsync(null, cancellationToken), cancellationToken);

    /// <summary>Saves it and ends it; it goes on running when it cannot be saved.</summary>
    /// <param name="directory">Where to.</param>
    /// <param name="end">Kills every process.</param>
    /// <param name="cancellationToken">Gives up waiting for the turn; what has begun is seen through.</param>
    public Task ToDiskAsync(string directory, Func<Task> end, CancellationToken cancellationToken) => MoveAsync(
        "pause",
        SupervisorPhase.Running,
        SupervisorPhase.Pausing,
        SupervisorPhase.Stopping,
        async () =>
        {
            await StandAsync(() => runtime.CheckpointAsync(directory, CancellationToken.None), CancellationToken.None).ConfigureAwait(false);
            log.Write($"saved to {directory}");
            savedTo = directory;
            board.Set(SupervisorPhase.Stopping, CheckpointParams.PausedToDisk);
            await end().ConfigureAwait(false);
        },
        cancellationToken);

    /// <summary>Saves what stands still already, or stands still from now on until the runtime is resumed.</summary>
    public async Task SaveAsync(string directory, CancellationToken cancellationToken)
    {
        await runtime.CheckpointAsync(directory, cancellationToken).ConfigureAwait(false);
        SavedState.Write(directory, state());
        log.Write($"saved to {directory}");
    }

    /// <summary>Once a sandbox that was saved has ended, and every log holds what it will: now, and not before, what was saved may be brought back.</summary>
    public RuntimeExit Completed(RuntimeExit exit)
    {
        if (savedTo is null)
        {
            return exit;
        }

        try
        {
            SavedState.Write(savedTo, state());
            return exit with { Reason = CheckpointParams.PausedToDisk, Message = "the sandbox was paused to disk" };
        }
        catch (IOException e)
        {
            log.Write("what was saved could not be completed", e);
            return exit with { Reason = "pause_failed", Message = $"the sandbox could not be paused to disk: {e.Message}" };
        }
    }

    /// <summary>A guest that keeps written data to itself writes it out first: a snapshot of the frozen sandbox must hold it, and a machine that goes must not take it along.</summary>
    public async Task StandAsync(Func<Task> freeze, CancellationToken cancellationToken)
    {
        var guest = cachingGuest();
        try
        {
            if (guest is not null)
            {
                await guest.RequestAckAsync(ControlType.Quiesce, QuiesceDeadline, cancellationToken).ConfigureAwait(false);
            }

            await freeze().ConfigureAwait(false);
        }
        catch when (guest is not null)
        {
            await guest.RequestAckAsync(ControlType.Thaw, null, CancellationToken.None /* it must take commands again */).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }

    /// <summary>Ends that; <paramref name="resumed"/> is told as soon as processes run.</summary>
    public async Task GoOnAsync(Action? resumed, CancellationToken cancellationToken)
    {
        await runtime.ResumeAsync(cancellationToken).ConfigureAwait(false);
        resumed?.Invoke();
        if (cachingGuest() is { } guest)
        {
            await guest.RequestAckAsync(ControlType.Thaw, null, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Turn.Dispose();

    private async Task MoveAsync(string what, string from, string through, string to, Func<Task> act, CancellationToken cancellationToken)
    {
        await Turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!board.TryMove(from, through))
            {
                throw new VivariumException(ErrorCode.FailedPrecondition, $"cannot {what} the sandbox: it is {board.Phase}, not {from}", reason: "wrong_phase");
            }

            try
            {
                await act().ConfigureAwait(false);
                board.TryMove(through, to);
            }
            catch
            {
                board.TryMove(through, from);
                throw;
            }
        }
        finally
        {
            Turn.Release();
        }
    }
}
