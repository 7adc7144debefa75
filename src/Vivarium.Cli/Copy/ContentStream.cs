namespace Vivarium.Cli.Copy;

/// <summary>Content coming out of the sandbox, read ahead in large pieces.</summary>
internal sealed class ContentStream(ContentStream.ReadContent read) : Stream
{
    private readonly byte[] _buffer = new byte[FileSession.ChunkBytes];
    private int _start;
    private int _end;

    /// <summary>Fills what it can; 0 at the end.</summary>
    public delegate int ReadContent(Span<byte> target);

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> target)
    {
        if (_start == _end)
        {
            // Large reads go past the buffer.
            if (target.Length >= _buffer.Length / 4)
            {
                return read(target);
            }

            (_start, _end) = (0, read(_buffer));
        }

        var count = Math.Min(target.Length, _end - _start);
        _buffer.AsSpan(_start, count).CopyTo(target);
        _start += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
