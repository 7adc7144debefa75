using Vivarium.Guest.Io;

namespace Vivarium.Guest.Processes;

/// <summary>
/// The output of one process: a bounded run of blocks that its pipes are read into and its attachments are served from, so that each byte is
/// copied once. The oldest blocks go when the bound is reached; output not yet sent to an attachment that holds back is not given up: then
/// the reading of the pipe waits, and the process feels its slow reader. With no attachment nothing ever waits.
/// </summary>
internal sealed class OutputLog
{
    /// <summary>Bytes of output kept for one process while few run.</summary>
    public const int MaxCapacity = 1024 * 1024;

    /// <summary>Bytes kept for one process however many run.</summary>
    private const int MinCapacity = 64 * 1024;

    /// <summary>Bytes for all that run together, as long as each gets its least.</summary>
    private const int SharedCapacity = 16 * 1024 * 1024;

    private static int running;

    private readonly Lock _gate = new();
    private readonly List<OutputCursor> _cursors = [];
    private readonly List<AsyncSignal> _writers = [];
    private OutputBlock? _oldest;
    private OutputBlock? _newest;
    private long _end;
    private bool _counted;
    private bool _ended;

    /// <summary>Bytes kept now.</summary>
    public long Held
    {
        get
        {
            lock (_gate)
            {
                return HeldNow;
            }
        }
    }

    /// <summary>Attachments now.</summary>
    public int Attached
    {
        get
        {
            lock (_gate)
            {
                return _cursors.Count;
            }
        }
    }

    private static int Capacity => Math.Clamp(SharedCapacity / Math.Max(1, Volatile.Read(ref running)), MinCapacity, MaxCapacity);

    private long HeldNow => _oldest is null ? 0 : _end - _oldest.StartOffset;

    /// <summary>
    /// Adds a reader. The offset asked for is clamped to what is kept: null = the oldest, -1 = only what comes from now on.
    /// </summary>
    /// <returns>The cursor, and the bytes between the offset asked for and where it really starts.</returns>
    public (OutputCursor Cursor, long Lost) Attach(long? offset, bool holdsBack)
    {
        var cursor = new OutputCursor(holdsBack);
        lock (_gate)
        {
            var first = _oldest?.StartOffset ?? _end;
            var wanted = offset switch
            {
                null => first,
                < 0 => _end,
                { } value => Math.Min(value, _end),
            };
            cursor.Offset = Math.Max(wanted, first);
            cursor.Limit = _ended ? _end : long.MaxValue;
            _cursors.Add(cursor);
            return (cursor, cursor.Offset - wanted);
        }
    }

    /// <summary>Removes a reader; what it held back flows on.</summary>
    public void Detach(OutputCursor cursor)
    {
        lock (_gate)
        {
            _cursors.Remove(cursor);
            cursor.Block = null;
            WakeWriters();
        }
    }

    /// <summary>Adds a pump's signal, set whenever a reader moved on or left.</summary>
    public void AddWriter(AsyncSignal room)
    {
        lock (_gate)
        {
            _writers.Add(room);
        }
    }

    /// <summary>Bytes that may be read from the process now without giving up output a reader still needs; 0 = wait for the writer's signal.</summary>
    public int Room()
    {
        lock (_gate)
        {
            return (int)Math.Max(0, Capacity - (_end - SlowestHolder()));
        }
    }

    /// <summary>Reads once from a descriptor into the log.</summary>
    /// <param name="fd">Where from.</param>
    /// <param name="channel">Channel of these bytes.</param>
    /// <param name="expected">Bytes said to be waiting; sizes the buffer.</param>
    /// <returns>What <see cref="PolledFd.TryRead"/> returned.</returns>
    public int ReadFrom(PolledFd fd, byte channel, int expected)
    {
        // Only the pumps add blocks, and two pumps (stdout, stderr) may do so at once: the read goes to a buffer of its own and is linked afterwards.
        var buffer = BlockPool.Rent(Math.Clamp(expected, 1, BlockPool.MaxData));
        var count = fd.TryRead(buffer.AsSpan(OutputBlock.HeaderBytes, Math.Min(buffer.Length - OutputBlock.HeaderBytes, BlockPool.MaxData)));
        if (count <= 0)
        {
            BlockPool.Return(buffer);
            return count;
        }

        lock (_gate)
        {
            if (_newest is { } tail && tail.Channel == channel && tail.Room >= count)
            {
                buffer.AsSpan(OutputBlock.HeaderBytes, count).CopyTo(tail.Buffer.AsSpan(OutputBlock.HeaderBytes + tail.Length));
                tail.Length += count;
                BlockPool.Return(buffer);
            }
            else
            {
                var block = new OutputBlock(buffer, channel, _end) { Length = count };
                if (_newest is null)
                {
                    _oldest = block;
                }
                else
                {
                    _newest.Next = block;
                }

                _newest = block;
            }

            _end += count;
            Trim(Capacity);
            foreach (var cursor in _cursors)
            {
                cursor.More.Set();
            }
        }

        return count;
    }

    /// <summary>Says that its process runs: it takes part in sharing the memory.</summary>
    public void Begin()
    {
        lock (_gate)
        {
            if (!_counted)
            {
                _counted = true;
                Interlocked.Increment(ref running);
            }
        }
    }

    /// <summary>Says that no more output will be reported before the exit.</summary>
    public void End()
    {
        lock (_gate)
        {
            if (_counted)
            {
                _counted = false;
                Interlocked.Decrement(ref running);
            }

            _ended = true;
            foreach (var cursor in _cursors)
            {
                cursor.Limit = Math.Min(cursor.Limit, _end);
                cursor.More.Set();
            }
        }
    }

    /// <summary>The next piece for a reader, which stays valid until <see cref="Release"/>. None when there is nothing now.</summary>
    /// <param name="cursor">The reader.</param>
    /// <param name="finished">Set when there never will be more for this reader.</param>
    public OutputPiece? Take(OutputCursor cursor, out bool finished)
    {
        lock (_gate)
        {
            finished = cursor.Offset >= cursor.Limit;
            if (finished || cursor.Offset >= _end || _oldest is null)
            {
                return null;
            }

            if (cursor.Offset < _oldest.StartOffset)
            {
                cursor.Offset = Math.Min(_oldest.StartOffset, cursor.Limit);
                cursor.Block = null;
            }

            var block = cursor.Block ?? _oldest;
            while (block.EndOffset <= cursor.Offset)
            {
                block = block.Next!;
            }

            cursor.Block = block;
            block.References++;
            var position = (int)(cursor.Offset - block.StartOffset);
            var length = (int)Math.Min(block.Length - position, cursor.Limit - cursor.Offset);
            var ownsHeader = position == 0 && !block.HeaderTaken;
            block.HeaderTaken |= ownsHeader;
            return new OutputPiece(block, position, length, ownsHeader);
        }
    }

    /// <summary>Ends the use of a piece and, when it was sent, moves the reader past it.</summary>
    public void Release(OutputCursor cursor, OutputPiece piece, bool sent)
    {
        lock (_gate)
        {
            if (piece.OwnsHeader)
            {
                piece.Block.HeaderTaken = false;
            }

            Drop(piece.Block);
            if (sent)
            {
                cursor.Offset += piece.Length;
                WakeWriters();
            }
        }
    }

    /// <summary>Gives up all output but the newest bytes and what a reader still needs; for bounding the memory of ended processes.</summary>
    public void Shrink(int keep)
    {
        lock (_gate)
        {
            Trim(keep);
        }
    }

    private void Trim(int keep)
    {
        // A read may go beyond the room there was (and two pumps may do so at once): output somebody holds back for stays all the same.
        var needed = SlowestHolder();
        while (_oldest is { } oldest && oldest.EndOffset <= needed && HeldNow - oldest.Length >= keep)
        {
            _oldest = oldest.Next;
            if (_oldest is null)
            {
                _newest = null;
            }

            foreach (var cursor in _cursors)
            {
                if (cursor.Block == oldest)
                {
                    cursor.Block = null;
                }
            }

            Drop(oldest);
        }
    }

    /// <summary>The first byte a reader that holds back has not got yet; the end when there is none.</summary>
    private long SlowestHolder()
    {
        var slowest = _end;
        foreach (var cursor in _cursors)
        {
            if (cursor.HoldsBack && cursor.Offset < slowest)
            {
                slowest = cursor.Offset;
            }
        }

        return slowest;
    }

    /// <summary>Where the slowest reader that holds back stands.</summary>
    private long SlowestNow()
    {
        var slowest = _end;
        foreach (var cursor in _cursors)
        {
            if (cursor.HoldsBack && cursor.Offset < slowest)
            {
                slowest = cursor.Offset;
            }
        }

        return slowest;
    }

    private void WakeWriters()
    {
        foreach (var writer in _writers)
        {
            writer.Set();
        }
    }

    private static void Drop(OutputBlock block)
    {
        if (--block.References == 0)
        {
            BlockPool.Return(block.Buffer);
        }
    }
}
