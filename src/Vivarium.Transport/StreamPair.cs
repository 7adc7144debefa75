namespace Vivarium.Transport;

/// <summary>Two one-way streams as one duplex stream; ending the writes closes the writing one.</summary>
public sealed class StreamPair(Stream input, Stream output) : DuplexStream
{
    private bool _completed;

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => input.ReadAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await output.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
    {
        if (_completed)
            return default;
        _completed = true;
        return output.DisposeAsync();
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await CompleteWritesAsync().ConfigureAwait(false);
        await input.DisposeAsync().ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }
}
