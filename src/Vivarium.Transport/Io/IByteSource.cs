namespace Vivarium.Transport.Io;

/// <summary>Where a session's bytes come from.</summary>
internal interface IByteSource : IDisposable
{
    /// <summary>
    /// Whether <see cref="ReadAsync"/> blocks its thread until bytes are there. The session then gives the source a thread of its own, which is what a
    /// pipe wants: one wake-up per read instead of an epoll round and a hop to the pool.
    /// </summary>
    bool Blocks { get; }

    /// <summary>Reads at least one byte, or 0 at the end.</summary>
    ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>Ends a read under way, from any thread; what it and later ones return no longer matters. The reading side disposes afterwards.</summary>
    void Interrupt();
}
