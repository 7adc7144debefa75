namespace Vivarium.Host.Timers;

/// <summary>A token that is cancelled by its caller or after a span of the given clock, whichever comes first.</summary>
internal sealed class Deadline : IDisposable
{
    private readonly CancellationTokenSource timer;
    private readonly CancellationTokenSource linked;

    /// <summary>Starts the span.</summary>
    public Deadline(TimeProvider time, TimeSpan span, CancellationToken cancellationToken)
    {
        timer = new CancellationTokenSource(span, time);
        linked = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
    }

    /// <summary>The token.</summary>
    public CancellationToken Token => linked.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        linked.Dispose();
        timer.Dispose();
    }
}
