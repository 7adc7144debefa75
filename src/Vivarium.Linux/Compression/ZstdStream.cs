using System.Runtime.InteropServices;

namespace Vivarium.Linux.Compression;

/// <summary>
/// Decompresses Zstandard (RFC 8878) with the machine's <c>libzstd.so.1</c>; .NET 10 has no decoder of its own. Frames behind each other are one stream, as
/// <c>zstd -d</c> reads them. The library refuses windows above 128 MiB, so memory is bounded.
/// </summary>
public sealed unsafe partial class ZstdStream : Stream
{
    private const int InputBytes = 128 * 1024;

    private readonly Stream source;
    private readonly byte[] input = new byte[InputBytes];
    private nint decoder;
    private int inputAt;
    private int inputEnd;
    private bool insideFrame;

    /// <summary>Reads from <paramref name="source"/>, which stays the caller's.</summary>
    /// <exception cref="DllNotFoundException">The library is not on this machine.</exception>
    public ZstdStream(Stream source)
    {
        this.source = source;
        decoder = CreateDecoder();
        if (decoder == 0)
        {
            throw new InvalidOperationException("libzstd could not make a decoder");
        }
    }

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
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The data is damaged.</exception>
    /// <exception cref="EndOfStreamException">It ends in the middle of a frame.</exception>
    public override int Read(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(decoder == 0, this);
        while (!buffer.IsEmpty)
        {
            // A full window may wait inside the decoder, so it is asked first and fed when it gave nothing.
            var written = Decode(buffer);
            if (written > 0)
            {
                return written;
            }

            if (inputAt < inputEnd)
            {
                continue;
            }

            inputAt = 0;
            inputEnd = source.Read(input);
            if (inputEnd == 0)
            {
                return insideFrame ? throw new EndOfStreamException("the zstd data ends in the middle of a frame") : 0;
            }
        }

        return 0;
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

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (decoder != 0)
        {
            FreeDecoder(decoder);
            decoder = 0;
        }

        base.Dispose(disposing);
    }

    private int Decode(Span<byte> buffer)
    {
        if (inputAt == inputEnd && !insideFrame)
        {
            return 0;
        }

        // SAFETY: both are pinned for the call; the structures hold their true lengths and are on this stack.
        fixed (byte* outputPointer = buffer, inputPointer = input)
        {
            var output = new Area { Start = outputPointer, Size = (nuint)buffer.Length };
            var given = new Area { Start = inputPointer, Size = (nuint)inputEnd, Position = (nuint)inputAt };
            var result = Decompress(decoder, &output, &given);
            if (IsError(result) != 0)
            {
                throw new InvalidDataException($"the zstd data is damaged: {Marshal.PtrToStringUTF8(ErrorName(result))}");
            }

            inputAt = (int)given.Position;
            insideFrame = result != 0;
            return (int)output.Position;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Area
    {
        public byte* Start;
        public nuint Size;
        public nuint Position;
    }

    [LibraryImport("libzstd.so.1", EntryPoint = "ZSTD_createDStream")]
    private static partial nint CreateDecoder();

    [LibraryImport("libzstd.so.1", EntryPoint = "ZSTD_freeDStream")]
    private static partial nuint FreeDecoder(nint decoder);

    [LibraryImport("libzstd.so.1", EntryPoint = "ZSTD_decompressStream")]
    private static partial nuint Decompress(nint decoder, Area* output, Area* input);

    [LibraryImport("libzstd.so.1", EntryPoint = "ZSTD_isError")]
    private static partial uint IsError(nuint code);

    [LibraryImport("libzstd.so.1", EntryPoint = "ZSTD_getErrorName")]
    private static partial nint ErrorName(nuint code);
}
