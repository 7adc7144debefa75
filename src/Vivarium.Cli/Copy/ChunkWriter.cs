namespace Vivarium.Cli.Copy;

/// <summary>Collects small writes into chunks.</summary>
internal sealed class ChunkWriter(Action<ReadOnlySpan<byte>> send)
{
    private readonly byte[] _buffer = new byte[FileSession.ChunkBytes];
    private int _filled;

    public void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var count = Math.Min(bytes.Length, _buffer.Length - _filled);
            bytes[..count].CopyTo(_buffer.AsSpan(_filled));
            _filled += count;
            bytes = bytes[count..];
            if (_filled == _buffer.Length)
            {
                Flush();
            }
        }
    }

    public void Flush()
    {
        if (_filled > 0)
        {
            send(_buffer.AsSpan(0, _filled));
            _filled = 0;
        }
    }
}
