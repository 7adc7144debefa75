using System.Buffers.Binary;
using Vivarium.Transport.Lines;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Guest;

/// <summary>
/// File content inside a connection: chunks of u32 big-endian length and bytes, ended by a zero length. Reads as a plain
/// stream that ends with the content; the connection goes on behind it. Shared by both sides.
/// </summary>
public sealed class ContentStream(LineStream connection) : Stream
{
    private readonly byte[] _header = new byte[4];
    private int _remaining;
    private bool _ended;

    /// <summary>Whether the end of the content has been read.</summary>
    public bool Ended => _ended;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_ended || buffer.IsEmpty)
            return 0;
        if (_remaining == 0)
        {
            await ReadHeaderAsync(cancellationToken).ConfigureAwait(false);
            if (_ended)
                return 0;
        }

        var read = await connection.ReadAsync(buffer[..Math.Min(buffer.Length, _remaining)], cancellationToken).ConfigureAwait(false);
        if (read == 0)
            throw BrokeOff();
        _remaining -= read;
        return read;
    }

    /// <summary>Reads and drops the rest, so that the connection can go on.</summary>
    public async ValueTask SkipAsync(CancellationToken cancellationToken)
    {
        var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            while (await ReadAsync(buffer, cancellationToken).ConfigureAwait(false) > 0)
            {
            }
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private async ValueTask ReadHeaderAsync(CancellationToken cancellationToken)
    {
        for (var filled = 0; filled < _header.Length;)
        {
            var read = await connection.ReadAsync(_header.AsMemory(filled), cancellationToken).ConfigureAwait(false);
            filled += read > 0 ? read : throw BrokeOff();
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(_header);
        if (length > FileRequest.MaxChunkBytes)
            throw new VivariumException(ErrorCode.InvalidArgument, $"a content chunk of {length} bytes is longer than {FileRequest.MaxChunkBytes}", reason: "bad_frame");
        _remaining = (int)length;
        _ended = length == 0;
    }

    private static VivariumException BrokeOff() =>
        new(ErrorCode.Unavailable, "the connection ended in the middle of the content", reason: "closed_early");
}
