using System.Buffers.Binary;
using System.Diagnostics;

namespace Vivarium.Transport.Yamux;

/// <summary>One stream of a session. One reader and one writer at a time.</summary>
internal sealed class YamuxStream(YamuxSession session, uint id, FrameFlags firstFlags) : DuplexStream
{
    /// <summary>A window is doubled when half of it was read in less than this.</summary>
    private static readonly TimeSpan GrowWithin = TimeSpan.FromMilliseconds(20);

    private readonly Lock _gate = new();
    private readonly ReceiveBuffer _received = new();
    private FrameFlags _flagsToSend = firstFlags;
    private TaskCompletionSource? _readWait;
    private TaskCompletionSource? _windowWait;
    private long _sendWindow = YamuxOptions.InitialWindow;
    private int _window = YamuxOptions.InitialWindow;
    private long _peerMaySend = YamuxOptions.InitialWindow;
    private int _unreported;
    private long _lastReport = Stopwatch.GetTimestamp();
    private bool _finSent;
    private bool _finReceived;
    private bool _reset;
    private bool _disposed;
    private SessionEnd? _sessionEnd;

    public uint Id => id;

    /// <summary>Whether the port bytes of a stream the peer opened are still to come. Used by the session's receiving side only.</summary>
    public bool AwaitingPort { get; set; }

    /// <summary>What its window has grown by; the session takes it back at the end.</summary>
    public int WindowGrowth => _window - YamuxOptions.InitialWindow;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<int>(cancellationToken);
        if (buffer.IsEmpty)
            return new(0);
        return TryRead(buffer.Span, out var read) ? new(read) : ReadSlowAsync(buffer, cancellationToken);
    }

    /// <summary>Passes received pieces on as they are, without a copy in between.</summary>
    public override async Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
    {
        while (true)
        {
            ReceiveBuffer.Piece? piece;
            Task? wait = null;
            lock (_gate)
            {
                piece = _received.TakePiece();
                if (piece is null)
                {
                    if (AtEnd())
                        return;
                    wait = (_readWait ??= NewWait()).Task;
                }
            }

            if (piece is null)
            {
                await wait!.WaitAsync(cancellationToken).ConfigureAwait(false);
                continue;
            }

            var length = piece.Length;
            await destination.WriteAsync(piece.Memory, cancellationToken).ConfigureAwait(false);
            piece.Return();
            Report(length);
        }
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        if (buffer.IsEmpty)
            return default;
        var whole = buffer.Length <= session.Options.MaxFrame && TryTakeWindow(buffer.Length, buffer.Length, out _);
        if (!whole)
            return WriteSlowAsync(buffer, cancellationToken);
        var write = SendAsync(buffer, cancellationToken);
        return write.IsCompletedSuccessfully ? default : GiveBackIfNotSentAsync(write, buffer.Length);
    }

    public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
    {
        FrameFlags flags;
        bool over;
        lock (_gate)
        {
            if (_finSent || _reset || _disposed || _sessionEnd is not null)
                return default;
            _finSent = true;
            flags = TakeFlags() | FrameFlags.Fin;
            over = _finReceived;
        }

        session.Writer.Post(new FrameHeader(FrameType.Data, flags, id, 0));
        if (over)
            session.Forget(this);
        return default;
    }

    public override ValueTask DisposeAsync()
    {
        Abandon();
        GC.SuppressFinalize(this);
        return default;
    }

    /// <summary>Ends both directions: a plain FIN when everything the peer sent has been read to its end, otherwise a reset.</summary>
    public void Abandon()
    {
        FrameFlags farewell;
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            var complete = _finReceived && _received.Length == 0;
            farewell = _reset || _sessionEnd is not null || (complete && _finSent) ? FrameFlags.None
                : complete ? FrameFlags.Fin : FrameFlags.Rst;
            if (farewell != FrameFlags.None)
                farewell |= TakeFlags();
            _finSent = true;
            _received.Clear();
            Wake(ref _readWait);
            Wake(ref _windowWait);
        }

        if (farewell != FrameFlags.None)
        {
            var type = farewell.HasFlag(FrameFlags.Rst) ? FrameType.WindowUpdate : FrameType.Data;
            session.Writer.Post(new FrameHeader(type, farewell, id, 0));
        }

        session.Forget(this);
    }

    // ---- What the session's receiving side calls.

    /// <summary>Takes credit for a data frame; false when the peer overran the window.</summary>
    public bool Admit(uint length)
    {
        lock (_gate)
        {
            if (length > _peerMaySend)
                return false;
            _peerMaySend -= length;
            return true;
        }
    }

    /// <summary>Adds bytes by copying.</summary>
    public void Deliver(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            if (_disposed || _finReceived || _reset)
                return;
            _received.Append(bytes);
            Wake(ref _readWait);
        }
    }

    /// <summary>Adds bytes by taking over the pooled array.</summary>
    public void Deliver(byte[] pooled, int length)
    {
        lock (_gate)
        {
            if (!(_disposed || _finReceived || _reset))
            {
                _received.Append(pooled, length);
                Wake(ref _readWait);
                return;
            }
        }

        System.Buffers.ArrayPool<byte>.Shared.Return(pooled);
    }

    /// <summary>The port a stream of the peer begins with, as soon as both bytes are there.</summary>
    public bool TryTakePort(out int port)
    {
        Span<byte> bytes = stackalloc byte[2];
        lock (_gate)
        {
            port = 0;
            if (_received.Length < 2)
                return false;
            _ = _received.Read(bytes);
            _unreported += 2;
        }

        port = BinaryPrimitives.ReadUInt16BigEndian(bytes);
        return true;
    }

    public bool AddSendWindow(uint delta)
    {
        lock (_gate)
        {
            _sendWindow += delta;
            if (_sendWindow > int.MaxValue)
                return false;
            if (_sendWindow > 0)
                Wake(ref _windowWait);
            return true;
        }
    }

    /// <summary>The peer will send no more. True when both sides are done.</summary>
    public bool OnFin()
    {
        lock (_gate)
        {
            _finReceived = true;
            Wake(ref _readWait);
            return _finSent;
        }
    }

    public void OnReset()
    {
        lock (_gate)
        {
            _reset = true;
            Wake(ref _readWait);
            Wake(ref _windowWait);
        }
    }

    public void OnSessionEnd(SessionEnd end)
    {
        lock (_gate)
        {
            _sessionEnd = end;
            Wake(ref _readWait);
            Wake(ref _windowWait);
        }
    }

    // ---- Reading.

    private bool TryRead(Span<byte> buffer, out int read)
    {
        lock (_gate)
        {
            read = _received.Read(buffer);
            if (read == 0)
                return AtEnd();
        }

        Report(read);
        return true;
    }

    private async ValueTask<int> ReadSlowAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task wait;
            lock (_gate)
            {
                if (_received.Length > 0 || AtEnd())
                    wait = Task.CompletedTask;
                else
                    wait = (_readWait ??= NewWait()).Task;
            }

            if (!wait.IsCompleted)
                await wait.WaitAsync(cancellationToken).ConfigureAwait(false);
            if (TryRead(buffer.Span, out var read))
                return read;
        }
    }

    /// <summary>Under the gate, with nothing buffered: true at the end of the stream, an exception where it broke.</summary>
    private bool AtEnd()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_finReceived)
            return true;
        if (_reset)
            throw new IOException("the stream was reset by the peer");
        if (_sessionEnd is not null)
            throw _sessionEnd.ToException();
        return false;
    }

    /// <summary>Counts bytes as read and gives the peer new credit when half the window is due; a fast reader gets a larger window.</summary>
    private void Report(int read)
    {
        uint delta;
        FrameFlags flags;
        lock (_gate)
        {
            _unreported += read;
            if (_unreported < _window / 2 || _finReceived || _reset || _disposed || _sessionEnd is not null)
                return;

            var now = Stopwatch.GetTimestamp();
            if (Stopwatch.GetElapsedTime(_lastReport, now) < GrowWithin)
            {
                var growth = Math.Min(_window, session.Options.MaxWindow - _window);
                if (growth > 0 && session.TryGrow(growth))
                {
                    _window += growth;
                    _unreported += growth;
                }
            }

            _lastReport = now;
            delta = (uint)_unreported;
            _peerMaySend += delta;
            _unreported = 0;
            flags = TakeFlags();
        }

        session.Writer.Post(new FrameHeader(FrameType.WindowUpdate, flags, id, delta));
    }

    // ---- Writing.

    private async ValueTask WriteSlowAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        while (!buffer.IsEmpty)
        {
            var wanted = Math.Min(buffer.Length, session.Options.MaxFrame);
            int taken;
            while (!TryTakeWindow(1, wanted, out taken))
                await WindowWait().WaitAsync(cancellationToken).ConfigureAwait(false);
            await GiveBackIfNotSentAsync(SendAsync(buffer[..taken], cancellationToken), taken).ConfigureAwait(false);
            buffer = buffer[taken..];
        }
    }

    private ValueTask SendAsync(ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        FrameFlags flags;
        lock (_gate)
            flags = TakeFlags();
        return session.Writer.WriteAsync(new FrameHeader(FrameType.Data, flags, id, (uint)payload.Length), payload, cancellationToken);
    }

    private async ValueTask GiveBackIfNotSentAsync(ValueTask write, int taken)
    {
        try
        {
            await write.ConfigureAwait(false);
        }
        catch (FrameWriter.FrameNotSentException)
        {
            lock (_gate)
                _sendWindow += taken;
            throw;
        }
    }

    private bool TryTakeWindow(int least, int most, out int taken)
    {
        lock (_gate)
        {
            ThrowIfNotWritable();
            taken = _sendWindow < least ? 0 : (int)Math.Min(_sendWindow, most);
            _sendWindow -= taken;
            return taken > 0;
        }
    }

    private Task WindowWait()
    {
        lock (_gate)
        {
            ThrowIfNotWritable();
            return _sendWindow > 0 ? Task.CompletedTask : (_windowWait ??= NewWait()).Task;
        }
    }

    private void ThrowIfNotWritable()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_sessionEnd is not null)
            throw _sessionEnd.ToException();
        if (_reset)
            throw new IOException("the stream was reset by the peer");
        if (_finSent)
            throw new InvalidOperationException("the writing side of this stream has been completed");
    }

    /// <summary>Under the gate: SYN or ACK rides on the first frame sent.</summary>
    private FrameFlags TakeFlags()
    {
        var flags = _flagsToSend;
        _flagsToSend = FrameFlags.None;
        return flags;
    }

    private static TaskCompletionSource NewWait() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static void Wake(ref TaskCompletionSource? wait)
    {
        wait?.TrySetResult();
        wait = null;
    }
}
