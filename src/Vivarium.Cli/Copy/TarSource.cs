namespace Vivarium.Cli.Copy;

/// <summary>Bytes of an archive, read ahead in large pieces.</summary>
internal sealed class TarSource(TarSource.ReadBytes read)
{
    private readonly byte[] _buffer = new byte[FileSession.ChunkBytes];
    private int _start;
    private int _end;

    /// <summary>Fills what it can; 0 at the end.</summary>
    public delegate int ReadBytes(Span<byte> target);

    public int Read(Span<byte> target)
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

    /// <summary>Fills the target; false when the stream ended before it (allowed only before the first byte).</summary>
    public bool ReadExactly(Span<byte> target, bool endAllowed)
    {
        var filled = 0;
        while (filled < target.Length)
        {
            var count = Read(target[filled..]);
            if (count == 0)
            {
                return endAllowed && filled == 0 ? false : throw new Wire.Errors.VivariumException(Wire.Errors.ErrorCode.DataLoss, "the tar stream is cut short", reason: "bad_archive");
            }

            filled += count;
        }

        return true;
    }
}
