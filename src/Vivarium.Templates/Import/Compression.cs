using System.IO.Compression;
using Vivarium.Linux.Compression;

namespace Vivarium.Templates.Import;

/// <summary>Tells a compression by its first bytes and undoes it. What the name or a media type says does not count.</summary>
internal static class Compression
{
    private const int MagicBytes = 6;

    /// <summary>The content of a stream that may be compressed; <paramref name="compressed"/> says whether it was. Owns the source.</summary>
    internal static Stream Open(Stream source, out bool compressed)
    {
        var head = new byte[MagicBytes];
        var length = source.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        var whole = new PrefixedStream(head.AsMemory(0, length), source);
        Stream? plain = head switch
        {
            [0x1F, 0x8B, ..] => new GzipStream(whole),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => new ZstdStream(whole),
            [(byte)'B', (byte)'Z', (byte)'h', ..] => throw Unsupported("bzip2"),
            [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0] => throw Unsupported("xz"),
            _ => null,
        };
        compressed = plain is not null;
        return plain ?? whole;
    }

    private static Vivarium.Wire.Errors.VivariumException Unsupported(string name) => ImportErrors.Malformed($"it is compressed with {name}; decompress it first, or use gzip or zstd");

    /// <summary>gzip that does not take a cut-off end for the end.</summary>
    private sealed class GzipStream(PrefixedStream source) : ReadingStream
    {
        private readonly GZipStream inner = new(source, CompressionMode.Decompress);

        /// <summary>.NET takes any end of input for the end of the data unless this is set before its first use.</summary>
        static GzipStream() => AppContext.SetSwitch("System.IO.Compression.UseStrictValidation", true);

        public override int Read(Span<byte> buffer)
        {
            try
            {
                return inner.Read(buffer);
            }
            catch (InvalidDataException e)
            {
                throw ImportErrors.Damaged($"its gzip data is damaged or cut off ({e.Message.TrimEnd('.')})", e);
            }
        }

        protected override void Dispose(bool disposing)
        {
            inner.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class PrefixedStream(ReadOnlyMemory<byte> prefix, Stream source) : ReadingStream
    {
        private ReadOnlyMemory<byte> left = prefix;

        public override int Read(Span<byte> buffer)
        {
            if (left.IsEmpty)
            {
                return source.Read(buffer);
            }

            var count = Math.Min(left.Length, buffer.Length);
            left.Span[..count].CopyTo(buffer);
            left = left[count..];
            return count;
        }

        protected override void Dispose(bool disposing)
        {
            source.Dispose();
            base.Dispose(disposing);
        }
    }
}
