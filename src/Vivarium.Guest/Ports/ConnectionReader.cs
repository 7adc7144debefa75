using System.Buffers;

namespace Vivarium.Guest.Ports;

/// <summary>
/// Reads lines and then raw bytes from one connection; what was read beyond a line is not lost. The buffer is small and grows with the line, up to the
/// bound the caller gives.
/// </summary>
internal sealed class ConnectionReader(Stream stream) : IDisposable
{
    private const int FirstSize = 1024;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(FirstSize);
    private int _start;
    private int _end;

    /// <summary>
    /// The next line without its newline (a carriage return before it is dropped too), valid until the next call; null at the end of the stream. A last line
    /// without newline counts.
    /// </summary>
    /// <exception cref="InvalidDataException">The line is longer than <paramref name="maxBytes"/>.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadLineAsync(int maxBytes, CancellationToken cancellationToken)
    {
        var searched = 0;
        while (true)
        {
            var newline = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (newline >= 0)
            {
                var line = _buffer.AsMemory(_start, searched + newline);
                _start += searched + newline + 1;
                return line.Length > maxBytes ? throw TooLong(maxBytes) : line.Span.EndsWith("\r"u8) ? line[..^1] : line;
            }

            searched = _end - _start;
            if (searched > maxBytes)
            {
                throw TooLong(maxBytes);
            }

            MakeRoom();
            var count = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
            if (count == 0)
            {
                var rest = _buffer.AsMemory(_start, searched);
                _start = _end;
                return searched == 0 ? (ReadOnlyMemory<byte>?)null : rest;
            }

            _end += count;
        }
    }

    /// <summary>Fills the buffer; false when the stream ended before its first byte.</summary>
    /// <exception cref="EndOfStreamException">It ended in the middle.</exception>
    public async ValueTask<bool> ReadExactAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        var filled = 0;
        while (filled < destination.Length)
        {
            var count = await ReadAsync(destination[filled..], cancellationToken);
            if (count == 0)
            {
                return filled == 0 ? false : throw new EndOfStreamException("the connection ended in the middle of a frame");
            }

            filled += count;
        }

        return true;
    }

    /// <summary>Reads what there is, at least one byte; 0 at the end.</summary>
    public ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        var held = Math.Min(_end - _start, destination.Length);
        if (held == 0)
        {
            return stream.ReadAsync(destination, cancellationToken);
        }

        _buffer.AsMemory(_start, held).CopyTo(destination);
        _start += held;
        return new ValueTask<int>(held);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
            _start = _end = 0;
        }
    }

    private static InvalidDataException TooLong(int maxBytes) => new($"a line is longer than {maxBytes} bytes");

    private void MakeRoom()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end < _buffer.Length)
        {
            return;
        }

        var larger = ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
        _buffer.AsSpan(0, _end).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
