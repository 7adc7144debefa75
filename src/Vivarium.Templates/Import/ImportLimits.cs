namespace Vivarium.Templates.Import;

/// <summary>How much an import may be, against archives that unpack to far more than they weigh.</summary>
/// <param name="MaxBytes">Bytes unpacked, of all layers together.</param>
/// <param name="MaxEntries">Entries, of all layers together.</param>
public sealed record ImportLimits(long MaxBytes, long MaxEntries)
{
    /// <summary>Layers of an image.</summary>
    internal const int MaxLayers = 512;

    /// <summary>Deepest directory; the digest goes no deeper either.</summary>
    internal const int MaxDepth = 200;

    /// <summary>Bytes of an index, manifest or configuration.</summary>
    internal const int MaxJsonBytes = 4 * 1024 * 1024;

    /// <summary>What the configuration has by default.</summary>
    public static ImportLimits Default { get; } = new(64L << 30, 2_000_000);
}
