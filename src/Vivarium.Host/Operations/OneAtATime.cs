namespace Vivarium.Host.Operations;

/// <summary>Lets one in at a time; who waits can give up.</summary>
#pragma warning disable CA1001 // See below.
internal sealed class OneAtATime
#pragma warning restore CA1001
{
    // Never disposed: its wait handle, the only thing there would be to dispose of, is never made.
    private readonly SemaphoreSlim room = new(1, 1);

    /// <summary>Waits for a turn, which disposing ends.</summary>
    public async Task<IDisposable> EnterAsync(CancellationToken cancellationToken)
    {
        await room.WaitAsync(cancellationToken).ConfigureAwait(false);
        return new Turn(room);
    }

    private sealed class Turn(SemaphoreSlim room) : IDisposable
    {
        public void Dispose() => room.Release();
    }
}
