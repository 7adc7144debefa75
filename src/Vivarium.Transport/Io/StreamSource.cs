namespace Vivarium.Transport.Io;

/// <summary>Reads from any stream.</summary>
internal sealed class StreamSource(Stream stream) : IByteSource
{
    public bool Blocks => false;

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => stream.ReadAsync(buffer, cancellationToken);

    public void Interrupt() => stream.Dispose();

    public void Dispose() => stream.Dispose();
}
