namespace Vivarium.Guest.Processes;

/// <summary>
/// A run of output of one channel. Five bytes before the data are kept free for the frame header, so that a whole block goes out in one write.
/// Counted references: the log holds one, each attachment holds one while it writes from the block. Guarded by its log's lock.
/// </summary>
internal sealed class OutputBlock(byte[] buffer, byte channel, long startOffset)
{
    /// <summary>Space for the frame header: u8 channel, u32 length.</summary>
    public const int HeaderBytes = 5;

    /// <summary>Header space, then data.</summary>
    public byte[] Buffer { get; } = buffer;

    /// <summary>Channel of the frames.</summary>
    public byte Channel { get; } = channel;

    /// <summary>Offset of the first byte in the process's whole output.</summary>
    public long StartOffset { get; } = startOffset;

    /// <summary>Bytes of data so far.</summary>
    public int Length { get; set; }

    /// <summary>Offset one past the last byte.</summary>
    public long EndOffset => StartOffset + Length;

    /// <summary>Bytes that still fit.</summary>
    public int Room => Buffer.Length - HeaderBytes - Length;

    /// <summary>Holders.</summary>
    public int References { get; set; } = 1;

    /// <summary>Whether some reader uses the header space now.</summary>
    public bool HeaderTaken { get; set; }

    /// <summary>The block after this one in the log.</summary>
    public OutputBlock? Next { get; set; }
}

/// <summary>A part of a block a reader may send.</summary>
/// <param name="Block">The block.</param>
/// <param name="Position">First byte in the block's data.</param>
/// <param name="Length">Bytes.</param>
/// <param name="OwnsHeader">Whether the reader may write a frame header into the space before the data.</param>
internal readonly record struct OutputPiece(OutputBlock Block, int Position, int Length, bool OwnsHeader);
