using System.Diagnostics;

namespace Vivarium.Transport.Yamux;

/// <summary>One stream of a session. One reader and one writer at a time.</summary>
internal sealed partial class YamuxStream(YamuxSession session, uint id, FrameFlags firstFlags) : DuplexStream
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
