using System.Buffers;
using System.Buffers.Binary;
using Vivarium.Transport;

namespace Vivarium.Guest.Files;

/// <summary>Content going out, collected into large chunks. <see cref="Write(ReadOnlySpan{byte})"/> waits on the calling thread, which must be one of its own.</summary>
internal sealed class ContentOutput(DuplexStream stream, CancellationToken cancellationToken) : Stream
{
    private const int HeaderBytes = 4;
    private const int BufferBytes = 256 * 1024; // with its header one frame of the multiplexer

    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
    private int _filled = HeaderBytes;
    private bool _returned;

    /// <summary>Bytes of content so far.</summary>
    public long Total { get; private set; }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Free room of the chunk being filled, to be read into directly; then call <see cref="AdvanceAsync"/>.</summary>
    public Memory<byte> Room => _buffer.AsMemory(_filled, BufferBytes - _filled);

    /// <summary>Counts bytes put into <see cref="Room"/> and sends the chunk when it is full.</summary>
    public ValueTask AdvanceAsync(int count)
    {
        _filled += count;
        Total += count;
        return _filled == BufferBytes ? SendAsync() : default;
    }

    public override void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var count = Math.Min(bytes.Length, BufferBytes - _filled);
            bytes[..count].CopyTo(_buffer.AsSpan(_filled));
            bytes = bytes[count..];
            var sending = AdvanceAsync(count);
            if (!sending.IsCompletedSuccessfully)
            {
                sending.AsTask().GetAwaiter().GetResult();
            }
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <summary>Sends what is left and the closing chunk.</summary>
    public async ValueTask EndAsync()
    {
        await SendAsync();
        await stream.WriteAsync(new byte[HeaderBytes], cancellationToken);
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (!_returned)
        {
            _returned = true;
            ArrayPool<byte>.Shared.Return(_buffer);
        }

        base.Dispose(disposing);
    }

    private ValueTask SendAsync()
    {
        if (_filled == HeaderBytes)
        {
            return default;
        }

        BinaryPrimitives.WriteInt32BigEndian(_buffer, _filled - HeaderBytes);
        var whole = _buffer.AsMemory(0, _filled);
        _filled = HeaderBytes;
        return stream.WriteAsync(whole, cancellationToken);
    }
}
