using System.Buffers;
using System.Text.Json;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Guest;

/// <summary>Writes exec frames, each in one write. Any number of writers at a time.</summary>
public sealed class ExecFrameWriter : IDisposable
{
    private readonly Stream _stream;
    private readonly SemaphoreSlim _writing = new(1, 1);

    /// <summary>Writes to this stream, which stays the caller's.</summary>
    public ExecFrameWriter(Stream stream) => _stream = stream;

    /// <summary>Sends a payload as one or, beyond <see cref="ExecRequest.MaxFrameBytes"/>, several frames.</summary>
    public async ValueTask WriteAsync(byte channel, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default)
    {
        do
        {
            var length = Math.Min(payload.Length, ExecRequest.MaxFrameBytes);
            var frame = ArrayPool<byte>.Shared.Rent(ExecFrame.HeaderBytes + length);
            try
            {
                payload[..length].CopyTo(frame.AsMemory(ExecFrame.HeaderBytes));
                await WritePrefixedAsync(channel, frame.AsMemory(0, ExecFrame.HeaderBytes + length), cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(frame);
            }

            payload = payload[length..];
        }
        while (!payload.IsEmpty);
    }

    /// <summary>
    /// Sends a payload without copying it: the first <see cref="ExecFrame.HeaderBytes"/> of the buffer are room for the header, the rest, at
    /// most <see cref="ExecRequest.MaxFrameBytes"/>, is the payload.
    /// </summary>
    public async ValueTask WritePrefixedAsync(byte channel, Memory<byte> frame, CancellationToken cancellationToken = default)
    {
        ExecFrame.WriteHeader(frame.Span, channel, frame.Length - ExecFrame.HeaderBytes);
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await _stream.WriteAsync(frame, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Sends a control message.</summary>
    public ValueTask WriteControlAsync(ExecControl message, CancellationToken cancellationToken = default) =>
        WriteAsync(ExecChannel.Control, JsonSerializer.SerializeToUtf8Bytes(message, GuestJson.Default.ExecControl), cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _writing.Dispose();
}
