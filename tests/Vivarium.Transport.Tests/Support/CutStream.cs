namespace Vivarium.Transport.Tests.Support;

/// <summary>Hands its bytes out in random pieces of at most so many, as a pipe under load does.</summary>
internal sealed class CutStream(byte[] bytes, int most, Random random) : MemoryStream(bytes)
{
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        base.ReadAsync(buffer[..Math.Min(buffer.Length, random.Next(1, most + 1))], cancellationToken);
}
