namespace Vivarium.Transport;

/// <summary>A two-way byte stream whose writing side can be ended alone (half-close); disposing ends both.</summary>
public abstract class DuplexStream : Stream
{
    /// <summary>Says that no more bytes will be written; the peer reads end of stream. Reading goes on.</summary>
    public abstract ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default);
}
