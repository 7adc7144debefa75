using System.Buffers;
using System.Buffers.Binary;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Guest;

/// <summary>
/// Reads exec frames. Payloads are handed out where they were received: no copy, and a large frame is passed on while it still
/// arrives. The buffer is small until the peer proves to have more to say. One reader at a time.
/// </summary>
public sealed class ExecFrameReader : IDisposable
{
    private const int FirstBuffer = 4 * 1024;
    private const int LargestBuffer = 256 * 1024;

    private readonly Stream _stream;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(FirstBuffer);
    private int _start;
    private int _end;
    private byte _channel;
    private int _remaining;
    private int _controlLength;

    /// <summary>Reads from this stream, which stays the caller's.</summary>
    public ExecFrameReader(Stream stream) => _stream = stream;

    /// <summary>The next piece, or null when the stream ended between two frames.</summary>
    /// <exception cref="VivariumException">invalid_argument: a frame longer than <see cref="ExecRequest.MaxFrameBytes"/> or on an unknown channel; unavailable: broken off inside a frame.</exception>
    public async ValueTask<ExecFrame?> ReadAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            if (_remaining > 0)
            {
                if (_end > _start)
                    return TakePayload();
            }
            else if (_controlLength > 0)
            {
                if (_end - _start >= _controlLength)
                    return TakeControl();
                if (_buffer.Length < _controlLength)
                    Grow(_controlLength);
            }
            else if (_end - _start >= ExecFrame.HeaderBytes)
            {
                if (TakeHeader() is { } empty)
                    return empty;
                continue;
            }

            if (!await FillAsync(cancellationToken).ConfigureAwait(false))
            {
                if (_remaining == 0 && _controlLength == 0 && _end == _start)
                    return null;
                throw new VivariumException(ErrorCode.Unavailable, "the exec connection broke off in the middle of a frame", reason: "closed_early");
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        var buffer = _buffer;
        _buffer = [];
        if (buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>Takes a header; what it announces is taken next, except an empty frame, which is all there.</summary>
    private ExecFrame? TakeHeader()
    {
        var header = _buffer.AsSpan(_start, ExecFrame.HeaderBytes);
        var length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        _channel = header[0];
        if (_channel > ExecChannel.Control)
            throw new VivariumException(ErrorCode.InvalidArgument, $"an exec frame on the unknown channel {_channel}", reason: "bad_frame");
        if (length > ExecRequest.MaxFrameBytes)
            throw new VivariumException(ErrorCode.InvalidArgument, $"an exec frame of {length} bytes is longer than {ExecRequest.MaxFrameBytes}", reason: "bad_frame");

        _start += ExecFrame.HeaderBytes;
        if (_channel == ExecChannel.Control)
            _controlLength = (int)length;
        else
            _remaining = (int)length;
        return length == 0 ? new ExecFrame(_channel, default) : null;
    }

    private ExecFrame TakePayload()
    {
        var taken = Math.Min(_remaining, _end - _start);
        var payload = _buffer.AsMemory(_start, taken);
        _start += taken;
        _remaining -= taken;
        return new ExecFrame(_channel, payload);
    }

    private ExecFrame TakeControl()
    {
        var payload = _buffer.AsMemory(_start, _controlLength);
        _start += _controlLength;
        _controlLength = 0;
        return new ExecFrame(ExecChannel.Control, payload);
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_start == _end)
        {
            (_start, _end) = (0, 0);
        }
        else if (_end == _buffer.Length)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        var room = _buffer.Length - _end;
        var read = await _stream.ReadAsync(_buffer.AsMemory(_end, room), cancellationToken).ConfigureAwait(false);
        _end += read;
        if (read == room && _buffer.Length < LargestBuffer)
            Grow(LargestBuffer);
        return read > 0;
    }

    private void Grow(int bytes)
    {
        var larger = ArrayPool<byte>.Shared.Rent(bytes);
        _buffer.AsSpan(_start, _end - _start).CopyTo(larger);
        (_start, _end) = (0, _end - _start);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
