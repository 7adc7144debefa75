using System.Buffers;
using System.Buffers.Binary;
using Vivarium.Guest.Ports;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Files;

/// <summary>Content coming in: chunks of u32 big-endian length and bytes, ended by a zero length. Readable with and without waiting on a thread.</summary>
internal sealed class ContentInput(ConnectionReader reader, CancellationToken cancellationToken) : Stream
{
    private const int BufferBytes = 256 * 1024;
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(5);

    private readonly byte[] _header = new byte[4];
    private byte[]? _buffer;
    private int _start;
    private int _end;
    private int _chunkLeft;

    /// <summary>Whether the closing chunk has come.</summary>
    public bool Ended { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellation = default)
    {
        if (_chunkLeft == 0 && !Ended)
        {
            if (!await reader.ReadExactAsync(_header, cancellation))
            {
                throw new EndOfStreamException("the connection ended before the content did");
            }

            var length = BinaryPrimitives.ReadUInt32BigEndian(_header);
            if (length > FileRequest.MaxChunkBytes)
            {
                throw new InvalidDataException($"a chunk of {length} bytes is longer than {FileRequest.MaxChunkBytes}");
            }

            _chunkLeft = (int)length;
            Ended = length == 0;
        }

        if (Ended)
        {
            return 0;
        }

        var count = await reader.ReadAsync(buffer[..Math.Min(buffer.Length, _chunkLeft)], cancellation);
        if (count == 0)
        {
            throw new EndOfStreamException("the connection ended in the middle of a chunk");
        }

        _chunkLeft -= count;
        return count;
    }

    /// <summary>Waits on the calling thread, which must be one of its own; reads ahead, so that small pieces are cheap.</summary>
    public override int Read(Span<byte> target)
    {
        if (_start == _end)
        {
            _buffer ??= ArrayPool<byte>.Shared.Rent(BufferBytes);
            _start = _end = 0;
            // Several chunks may be there already: one copy each, no wakeup.
            var read = ReadAsync(_buffer, cancellationToken);
            _end = read.IsCompleted ? read.GetAwaiter().GetResult() : read.AsTask().GetAwaiter().GetResult();
        }

        var count = Math.Min(target.Length, _end - _start);
        _buffer.AsSpan(_start, count).CopyTo(target);
        _start += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <summary>After an error: takes in what the caller had sent before it heard of it; true when the content came to its end, so that the connection can go on.</summary>
    public async Task<bool> DrainAsync()
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(DrainTime);
        _start = _end = 0;
        _buffer ??= ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (await ReadAsync(_buffer, deadline.Token) > 0)
            {
                // Dropped.
            }

            return true;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or OperationCanceledException)
        {
            return false;
        }
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (_buffer is { } buffer)
        {
            _buffer = null;
            ArrayPool<byte>.Shared.Return(buffer);
        }

        base.Dispose(disposing);
    }
}
