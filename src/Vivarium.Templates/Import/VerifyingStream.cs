using System.Security.Cryptography;
using Vivarium.Templates.Images;

namespace Vivarium.Templates.Import;

/// <summary>Hashes what passes and, at the end, compares it with what was promised.</summary>
internal sealed class VerifyingStream(Stream source, BlobDigest? digest, long? size, string what) : ReadingStream
{
    private readonly IncrementalHash? hash = digest?.NewHash();
    private readonly byte[] rest = new byte[64 * 1024];
    private long count;

    public override int Read(Span<byte> buffer)
    {
        var read = source.Read(buffer);
        hash?.AppendData(buffer[..read]);
        count += read;
        return count > size ? throw ImportErrors.Damaged($"{what} is longer than the {size} bytes it says it has") : read;
    }

    /// <summary>Reads on to the end and compares.</summary>
    internal void Complete(CancellationToken cancellationToken)
    {
        while (Read(rest) > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }

        if (size is not null && count != size)
        {
            throw ImportErrors.Damaged($"{what} has {count} bytes instead of the {size} it says it has");
        }

        if (digest is { } expected && hash is not null && Convert.ToHexStringLower(hash.GetHashAndReset()) != expected.Hex)
        {
            throw ImportErrors.Damaged($"{what} is not what its digest {expected} says");
        }
    }

    protected override void Dispose(bool disposing)
    {
        hash?.Dispose();
        source.Dispose();
        base.Dispose(disposing);
    }
}
