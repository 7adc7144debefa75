using Vivarium.Runtimes;
using Vivarium.Supervisor.Logs;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor.Lifecycle;

/// <summary>
/// Holds a sandbox still for the moment of a snapshot: a guest that keeps written data to itself writes it out (<c>quiesce</c>), then every process is frozen. Whoever
/// asked may die: the hold ends with its connection or its time. Pausing and resuming wait for its end.
/// </summary>
internal sealed class Stillness(ISandboxRuntime runtime, StatusBoard board, Pausing pausing, SupervisorLog log)
{
    private static readonly TimeSpan DefaultHold = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private Hold? current;

    /// <summary>Whether it is held still now, or is about to be.</summary>
    public bool IsHeld => pausing.Turn.CurrentCount == 0;

    /// <summary>Returns when nothing in the sandbox moves any more.</summary>
    public async Task BeginAsync(FreezeParams how, CancellationToken callerEnded, CancellationToken cancellationToken)
    {
        var longest = how.HoldMs switch
        {
            null => DefaultHold,
            >= 1 and <= 60_000 => TimeSpan.FromMilliseconds(how.HoldMs.Value),
            _ => throw new VivariumException(ErrorCode.InvalidArgument, $"cannot hold the sandbox still for {how.HoldMs} ms: allowed are 1 to 60000"),
        };
        await pausing.Turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        var hold = new Hold(callerEnded);
        try
        {
            await StandAsync(hold, how.MemoryDirectory, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await ReleaseAsync(hold).ConfigureAwait(false);
            throw;
        }

        lock (gate)
        {
            current = hold;
        }

        _ = WatchAsync(hold, longest);
    }

    /// <summary>Lets everything go on.</summary>
    public async Task<ThawReply> EndAsync()
    {
        if (Take(null) is not { } hold)
        {
            return new ThawReply { PausedUs = 0, Held = false };
        }

        await ReleaseAsync(hold).ConfigureAwait(false);
        return new ThawReply { PausedUs = hold.PausedUs, Held = true };
    }

    private async Task StandAsync(Hold hold, string? memoryDirectory, CancellationToken cancellationToken)
    {
        if (board.Phase == SupervisorPhase.Paused)
        {
            if (memoryDirectory is not null)
            {
                await pausing.SaveAsync(memoryDirectory, cancellationToken).ConfigureAwait(false);
            }

            return;
        }

        if (board.Phase != SupervisorPhase.Running)
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"cannot hold the sandbox still: it is {board.Phase}", reason: "wrong_phase");
        }

        await pausing.StandAsync(
            async () =>
            {
                if (memoryDirectory is not null)
                {
                    hold.FrozenAt = TimeProvider.System.GetTimestamp();
                    await pausing.SaveAsync(memoryDirectory, cancellationToken).ConfigureAwait(false);
                }
                else if (runtime.Capabilities.Pause)
                {
                    hold.FrozenAt = TimeProvider.System.GetTimestamp();
                    await runtime.PauseAsync(cancellationToken).ConfigureAwait(false);
                }
            },
            cancellationToken).ConfigureAwait(false);
    }

    private async Task WatchAsync(Hold hold, TimeSpan longest)
    {
        // Ended by whichever comes first; none of them is an error.
        await Task.Delay(longest, TimeProvider.System, hold.Over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Take(hold) is not null)
        {
            log.Write("a snapshot's hold was not ended by who asked for it");
            await ReleaseAsync(hold).ConfigureAwait(false);
        }
    }

    private Hold? Take(Hold? expected)
    {
        lock (gate)
        {
            if (current is not { } hold || (expected is not null && hold != expected))
            {
                return null;
            }

            current = null;
            return hold;
        }
    }

    private async Task ReleaseAsync(Hold hold)
    {
        try
        {
            if (hold.FrozenAt is { } since)
            {
                await pausing.GoOnAsync(() => hold.PausedUs = (long)TimeProvider.System.GetElapsedTime(since).TotalMicroseconds, CancellationToken.None /* it must go on whoever waits */).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is VivariumException or IOException or TimeoutException or ObjectDisposedException)
        {
            // It has ended meanwhile, or its end is near: whoever watches it says so.
            log.Write("the sandbox could not be let go on after a snapshot", e);
        }
        finally
        {
            hold.Dispose();
            pausing.Turn.Release();
        }
    }

    private sealed class Hold(CancellationToken callerEnded) : IDisposable
    {
        private readonly CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(callerEnded);

        public long? FrozenAt { get; set; }

        public long PausedUs { get; set; }

        public CancellationToken Over => over.Token;

        public void Dispose()
        {
            over.Cancel();
            over.Dispose();
        }
    }
}
