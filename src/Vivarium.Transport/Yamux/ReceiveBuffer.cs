using System.Buffers;

namespace Vivarium.Transport.Yamux;

/// <summary>
/// Bytes received and not yet read, in pooled pieces. Large payloads come in as they were read from the descriptor; small
/// ones are packed together, so that memory stays within a small factor of the window whatever sizes a peer chooses.
/// Not thread-safe: the stream's lock guards it.
/// </summary>
internal sealed class ReceiveBuffer
{
    private const int PackedPiece = 4096;

    private readonly Queue<Piece> _pieces = new();
    private Piece? _last;

    /// <summary>Bytes waiting.</summary>
    public int Length { get; private set; }

    /// <summary>Copies bytes in.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        Length += bytes.Length;
        while (!bytes.IsEmpty)
        {
            if (_last is null || _last.Free == 0)
                Add(new Piece(ArrayPool<byte>.Shared.Rent(Math.Max(PackedPiece, bytes.Length)), 0));
            var taken = Math.Min(_last!.Free, bytes.Length);
            bytes[..taken].CopyTo(_last.Array.AsSpan(_last.End));
            _last.End += taken;
            bytes = bytes[taken..];
        }
    }

    /// <summary>Takes over a pooled array that holds this many bytes.</summary>
    public void Append(byte[] pooled, int length)
    {
        Length += length;
        Add(new Piece(pooled, length));
    }

    /// <summary>Copies out what fits; returns the number of bytes.</summary>
    public int Read(Span<byte> destination)
    {
        var total = 0;
        while (!destination.IsEmpty && _pieces.TryPeek(out var piece))
        {
            var taken = Math.Min(destination.Length, piece.Length);
            piece.Array.AsSpan(piece.Start, taken).CopyTo(destination);
            destination = destination[taken..];
            piece.Start += taken;
            total += taken;
            if (piece.Length == 0)
                Take()!.Return();
        }

        Length -= total;
        return total;
    }

    /// <summary>Hands out the next piece whole, or null; the taker returns it. <see cref="Length"/> no longer counts it.</summary>
    public Piece? TakePiece()
    {
        var piece = Take();
        Length -= piece?.Length ?? 0;
        return piece;
    }

    /// <summary>Drops everything.</summary>
    public void Clear()
    {
        while (Take() is { } piece)
            piece.Return();
        Length = 0;
    }

    private void Add(Piece piece)
    {
        _pieces.Enqueue(piece);
        _last = piece;
    }

    private Piece? Take()
    {
        if (!_pieces.TryDequeue(out var piece))
            return null;
        if (ReferenceEquals(piece, _last))
            _last = null;
        return piece;
    }

    /// <summary>A pooled array and the part of it that is still unread.</summary>
    internal sealed class Piece(byte[] array, int end)
    {
        public byte[] Array => array;

        public int Start { get; set; }

        public int End { get; set; } = end;

        public int Length => End - Start;

        public int Free => array.Length - End;

        public ReadOnlyMemory<byte> Memory => array.AsMemory(Start, Length);

        public void Return() => PiecePool.Return(array);
    }
}
