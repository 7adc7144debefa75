namespace Vivarium.Transport.Tests.Support;

/// <summary>A peer that has said all it will say, in random pieces, and takes whatever it is told, up to a bound.</summary>
internal sealed class ReplayStream(byte[] bytes, Random random, long most = 4 << 20) : DuplexStream
{
    private int position;
    private long taken;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var count = Math.Min(Math.Min(buffer.Length, bytes.Length - position), random.Next(1, 200));
        bytes.AsSpan(position, count).CopyTo(buffer.Span);
        position += count;
        return new(count);
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        taken += buffer.Length;
        return taken <= most ? default : throw new InvalidOperationException($"more than {most} bytes in answer to {bytes.Length}");
    }

    public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default) => default;

    public override ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return default;
    }
}
