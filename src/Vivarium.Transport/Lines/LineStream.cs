using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Wire.Errors;

namespace Vivarium.Transport.Lines;

/// <summary>
/// A stream read by lines at first and as raw bytes afterwards, without losing what was read ahead. Every protocol of ours
/// begins with a line or consists of them. One reader at a time.
/// </summary>
public sealed class LineStream : DuplexStream
{
    private const int FirstBuffer = 4096;

    private readonly DuplexStream _inner;
    private byte[]? _buffer;
    private int _start;
    private int _end;
    private int _scanned;

    /// <summary>Wraps a stream and owns it from now on.</summary>
    public LineStream(DuplexStream inner) => _inner = inner;

    /// <summary>The stream underneath; for looking at, not for reading.</summary>
    public DuplexStream Inner => _inner;

    /// <summary>Bytes read ahead and not yet taken.</summary>
    public int Buffered => _end - _start;

    /// <summary>
    /// The next line without its newline, or null at the end of the stream. The end also ends a last line. The memory is
    /// valid until the next read.
    /// </summary>
    /// <exception cref="VivariumException">resource_exhausted: the line is longer than <paramref name="maxBytes"/>; it has not been consumed.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadLineAsync(int maxBytes, CancellationToken cancellationToken = default)
    {
        if (await FindLineAsync(maxBytes, cancellationToken).ConfigureAwait(false) is not { } found)
            return null;
        var line = _buffer.AsMemory(_start, found.Length);
        _start += found.Length + found.Terminator;
        _scanned = 0;
        return line;
    }

    /// <summary>As <see cref="ReadLineAsync"/>, but the line stays where it is: whoever reads next gets it again.</summary>
    public async ValueTask<ReadOnlyMemory<byte>?> PeekLineAsync(int maxBytes, CancellationToken cancellationToken = default)
    {
        if (await FindLineAsync(maxBytes, cancellationToken).ConfigureAwait(false) is not { } found)
            return null;
        _scanned = 0;
        return _buffer.AsMemory(_start, found.Length);
    }

    /// <summary>Reads a line that holds one JSON value.</summary>
    /// <exception cref="VivariumException">unavailable: the stream ended before it; invalid_argument: it is not what was expected; resource_exhausted: it is too long.</exception>
    public async ValueTask<T> ReadJsonLineAsync<T>(JsonTypeInfo<T> type, int maxBytes, CancellationToken cancellationToken = default)
    {
        var line = await ReadLineAsync(maxBytes, cancellationToken).ConfigureAwait(false)
            ?? throw new VivariumException(ErrorCode.Unavailable, "the other side closed the connection before it answered", reason: "closed_early");
        try
        {
            return JsonSerializer.Deserialize(line.Span, type)
                ?? throw new VivariumException(ErrorCode.InvalidArgument, "the line holds null instead of an object", reason: "malformed_line");
        }
        catch (JsonException e)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"the line is not a valid {typeof(T).Name}: {e.Message}", reason: "malformed_line", inner: e);
        }
    }

    /// <summary>Writes one JSON value and a newline in one piece.</summary>
    public async ValueTask WriteJsonLineAsync<T>(T value, JsonTypeInfo<T> type, CancellationToken cancellationToken = default)
    {
        using var line = JsonLine.Of(value, type);
        await _inner.WriteAsync(line.Memory, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Buffered == 0)
            return _inner.ReadAsync(buffer, cancellationToken);
        var taken = Math.Min(buffer.Length, Buffered);
        _buffer.AsSpan(_start, taken).CopyTo(buffer.Span);
        _start += taken;
        _scanned = 0;
        if (Buffered == 0)
            ReturnBuffer();
        return new(taken);
    }

    /// <inheritdoc/>
    public override async Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
    {
        if (Buffered > 0)
        {
            await destination.WriteAsync(_buffer.AsMemory(_start, Buffered), cancellationToken).ConfigureAwait(false);
            ReturnBuffer();
        }

        await _inner.CopyToAsync(destination, bufferSize, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        _inner.WriteAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => _inner.FlushAsync(cancellationToken);

    /// <inheritdoc/>
    public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default) => _inner.CompleteWritesAsync(cancellationToken);

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        // The buffer is left to the collector: a read may be under way on another thread.
        GC.SuppressFinalize(this);
        return _inner.DisposeAsync();
    }

    private async ValueTask<(int Length, int Terminator)?> FindLineAsync(int maxBytes, CancellationToken cancellationToken)
    {
        while (true)
        {
            var at = _buffer is null ? -1 : _buffer.AsSpan(_start + _scanned, Buffered - _scanned).IndexOf((byte)'\n');
            if (at >= 0)
            {
                var length = _scanned + at;
                return length <= maxBytes ? (length, 1) : throw TooLong(maxBytes);
            }

            _scanned = Buffered;
            if (Buffered > maxBytes)
                throw TooLong(maxBytes);
            MakeRoom();
            var read = await _inner.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
            if (read == 0)
                return Buffered == 0 ? null : (Buffered, 0);
            _end += read;
        }
    }

    private void MakeRoom()
    {
        if (_buffer is null)
        {
            _buffer = ArrayPool<byte>.Shared.Rent(FirstBuffer);
            return;
        }

        if (_end < _buffer.Length)
            return;
        var target = _start > _buffer.Length / 2 ? _buffer : ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
        _buffer.AsSpan(_start, Buffered).CopyTo(target);
        (_start, _end) = (0, Buffered);
        if (ReferenceEquals(target, _buffer))
            return;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = target;
    }

    private void ReturnBuffer()
    {
        ArrayPool<byte>.Shared.Return(_buffer!);
        _buffer = null;
        (_start, _end, _scanned) = (0, 0, 0);
    }

    private static VivariumException TooLong(int maxBytes) =>
        new(ErrorCode.ResourceExhausted, $"a line is longer than {maxBytes} bytes", reason: "line_too_long");
}
