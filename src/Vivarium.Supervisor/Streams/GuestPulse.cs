using Vivarium.Wire.Errors;

namespace Vivarium.Supervisor.Streams;

/// <summary>
/// Tells a guest agent that is slow from one that does not answer at all (stopped, traced, starved): root in a sandbox can hold its own agent still, and whoever waits for
/// a first answer must hear of it. An answer that has not come after a while makes us ask the agent whether it lives; all who wait share one question.
/// </summary>
/// <param name="ping">Asks the agent; completes with its answer.</param>
/// <param name="standsStill">Whether the sandbox is paused or held still by us: then no answer means nothing.</param>
internal sealed class GuestPulse(Func<CancellationToken, ValueTask<TimeSpan>> ping, Func<bool> standsStill)
{
    /// <summary>Reason of the error.</summary>
    public const string Silent = "guest_silent";

    /// <summary>How long a first answer may take before the agent is asked whether it lives; a living one may take any time.</summary>
    public static readonly TimeSpan FirstAnswerTime = TimeSpan.FromSeconds(5);

    /// <summary>How long that answer may take: the agent gives it before anything else.</summary>
    public static readonly TimeSpan PingTime = TimeSpan.FromSeconds(8);

    private readonly Lock gate = new();
    private Task<bool>? asking;

    /// <summary>The error of a call whose first answer did not come.</summary>
    public static VivariumException Error() => new(
        ErrorCode.DeadlineExceeded,
        "the sandbox's agent does not answer: it may be stopped, traced or starved by what runs inside",
        "viv restart --force NAME starts it anew, viv stop --force NAME and viv rm --force NAME end it. What was asked for may still happen should it go on.",
        Silent);

    /// <summary>Whether the agent answers, or stands still because it was told to.</summary>
    public Task<bool> BeatsAsync()
    {
        lock (gate)
        {
            return asking is { IsCompleted: false } ? asking : asking = AskAsync();
        }
    }

    /// <summary>Runs a request up to its first answer.</summary>
    /// <exception cref="VivariumException">deadline_exceeded <c>guest_silent</c>.</exception>
    public async Task<T> FirstAnswerAsync<T>(Func<CancellationToken, Task<T>> request, CancellationToken cancellationToken)
    {
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var answer = request(giveUp.Token);
        while (true)
        {
            await Task.WhenAny(answer, Task.Delay(FirstAnswerTime, giveUp.Token)).ConfigureAwait(false);
            if (answer.IsCompleted || giveUp.IsCancellationRequested || await BeatsAsync().ConfigureAwait(false))
            {
                if (answer.IsCompleted || giveUp.IsCancellationRequested)
                {
                    return await answer.ConfigureAwait(false);
                }

                continue;
            }

            await giveUp.CancelAsync().ConfigureAwait(false);
            try
            {
                return await answer.ConfigureAwait(false); // it came at the last moment
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw Error();
            }
        }
    }

    private async Task<bool> AskAsync()
    {
        if (standsStill())
        {
            return true;
        }

        using var patience = new CancellationTokenSource(PingTime);
        try
        {
            await ping(patience.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException)
        {
            return standsStill();
        }
        catch (VivariumException)
        {
            return true; // the connection has ended: whoever waits hears that
        }
    }
}
