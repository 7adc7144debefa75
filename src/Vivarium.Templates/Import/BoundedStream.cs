namespace Vivarium.Templates.Import;

/// <summary>Bytes that may still come out of decompression, shared by all layers of an import.</summary>
internal sealed class UnpackBudget(ImportLimits limits)
{
    /// <summary>Headers cost too: an archive of nothing but names counts.</summary>
    private const long HeaderBytes = 4096;

    private long left = limits.MaxBytes + Math.Min(limits.MaxEntries, long.MaxValue / HeaderBytes / 2) * HeaderBytes;

    internal void Take(int count)
    {
        left -= count;
        if (left < 0)
        {
            throw ImportErrors.TooLarge($"it unpacks to more than {limits.MaxBytes} bytes", "import_max_bytes");
        }
    }
}

/// <summary>A decompressed stream that stops at the budget and can be canceled between reads.</summary>
internal sealed class BoundedStream(Stream source, UnpackBudget budget, CancellationToken cancellationToken) : ReadingStream
{
    public override int Read(Span<byte> buffer)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var read = source.Read(buffer);
        budget.Take(read);
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        source.Dispose();
        base.Dispose(disposing);
    }
}
