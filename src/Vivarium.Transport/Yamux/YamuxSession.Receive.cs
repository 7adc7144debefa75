namespace Vivarium.Transport.Yamux;

/// <summary>The receiving side: one loop that never waits for a stream's reader.</summary>
public sealed partial class YamuxSession
{
    /// <summary>Read ahead this much when looking for a header. Small, so that most of a large payload is read straight to where it stays.</summary>
    private const int LookAhead = 16 * 1024;

    /// <summary>Payloads with less than this still to come go through the look-ahead buffer.</summary>
    private const int DirectRead = 8 * 1024;

    private readonly byte[] _input = new byte[LookAhead];
    private int _inputStart;
    private int _inputEnd;
    private uint _highestPeerId;

    private int Buffered => _inputEnd - _inputStart;

    private async Task RunAsync()
    {
        SessionEnd end;
        try
        {
            end = await ReceiveAsync().ConfigureAwait(false);
        }
        catch (ProtocolViolationException e)
        {
            Writer.Post(new FrameHeader(FrameType.GoAway, FrameFlags.None, 0, (uint)GoAwayCode.ProtocolError));
            end = new SessionEnd("protocol_error", e.Message, e);
        }
        catch (Exception e)
        {
            end = new SessionEnd("io_error", "reading from it failed", e);
        }

        Finish(end);
        _source.Dispose();
    }

    private async ValueTask<SessionEnd> ReceiveAsync()
    {
        while (true)
        {
            while (Buffered < FrameHeader.Size)
            {
                if (await FillAsync().ConfigureAwait(false))
                    continue;
                return Buffered == 0
                    ? new SessionEnd("peer_closed", "the peer closed it")
                    : new SessionEnd("io_error", "it broke off in the middle of a frame");
            }

            var header = FrameHeader.Read(_input.AsSpan(_inputStart));
            _inputStart += FrameHeader.Size;
            if (header.Version != FrameHeader.CurrentVersion)
                throw new ProtocolViolationException($"the peer speaks version {header.Version} of the multiplexer, not {FrameHeader.CurrentVersion}");

            switch (header.Type)
            {
                case FrameType.Data:
                    await OnDataAsync(header).ConfigureAwait(false);
                    break;
                case FrameType.WindowUpdate:
                    OnWindowUpdate(header);
                    break;
                case FrameType.Ping:
                    OnPing(header);
                    break;
                case FrameType.GoAway when header.Length != (uint)GoAwayCode.Normal:
                    return new SessionEnd("peer_go_away", $"the peer ended it with error {header.Length}");
                case FrameType.GoAway:
                    lock (_gate)
                        _peerGoingAway = true;
                    break;
                case FrameType.Hold when await OnHoldAsync(header).ConfigureAwait(false):
                    return new SessionEnd(SessionEnd.Restarted, "this side was brought back from memory over a new connection");
                case FrameType.Hold:
                    break;
                default:
                    throw new ProtocolViolationException($"the peer sent a frame of the unknown type {(byte)header.Type}");
            }
        }
    }

    private async ValueTask OnDataAsync(FrameHeader header)
    {
        var stream = Find(header);
        if (stream is null)
        {
            if (header.Length > Options.MaxWindow)
                throw new ProtocolViolationException($"the peer sent a frame of {header.Length} bytes");
            await SkipAsync((int)header.Length).ConfigureAwait(false);
            return;
        }

        if (!stream.Admit(header.Length))
            throw new ProtocolViolationException($"the peer sent {header.Length} bytes on stream {header.StreamId}, more than its window");
        await ReceivePayloadAsync(stream, (int)header.Length).ConfigureAwait(false);
        if (stream.AwaitingPort)
            stream = Announce(stream, header.Flags);
        if (stream is not null)
            OnEndFlags(stream, header.Flags);
    }

    private async ValueTask ReceivePayloadAsync(YamuxStream stream, int remaining)
    {
        while (remaining > 0)
        {
            if (remaining - Buffered >= DirectRead)
            {
                var size = Math.Min(remaining, PiecePool.MaxSize);
                var piece = PiecePool.Rent(size);
                var filled = TakeBuffered(piece.AsSpan(0, size));
                while (filled < size)
                {
                    var read = await _source.ReadAsync(piece.AsMemory(filled, size - filled), _closing.Token).ConfigureAwait(false);
                    if (read == 0)
                        throw new EndOfStreamException("the connection broke off in the middle of a frame");
                    filled += read;
                }

                stream.Deliver(piece, size);
                remaining -= size;
                continue;
            }

            if (Buffered == 0 && !await FillAsync().ConfigureAwait(false))
                throw new EndOfStreamException("the connection broke off in the middle of a frame");
            var taken = Math.Min(remaining, Buffered);
            stream.Deliver(_input.AsSpan(_inputStart, taken));
            _inputStart += taken;
            remaining -= taken;
        }
    }

    private async ValueTask SkipAsync(int remaining)
    {
        while (remaining > 0)
        {
            if (Buffered == 0 && !await FillAsync().ConfigureAwait(false))
                throw new EndOfStreamException("the connection broke off in the middle of a frame");
            var taken = Math.Min(remaining, Buffered);
            _inputStart += taken;
            remaining -= taken;
        }
    }

    private int TakeBuffered(Span<byte> destination)
    {
        var taken = Math.Min(destination.Length, Buffered);
        _input.AsSpan(_inputStart, taken).CopyTo(destination);
        _inputStart += taken;
        return taken;
    }

    private async ValueTask<bool> FillAsync()
    {
        if (_inputStart == _inputEnd)
        {
            (_inputStart, _inputEnd) = (0, 0);
        }
        else if (_inputEnd == _input.Length)
        {
            _input.AsSpan(_inputStart, Buffered).CopyTo(_input);
            (_inputStart, _inputEnd) = (0, Buffered);
        }

        var read = await _source.ReadAsync(_input.AsMemory(_inputEnd), _closing.Token).ConfigureAwait(false);
        _inputEnd += read;
        return read > 0;
    }

    private void OnWindowUpdate(FrameHeader header)
    {
        var stream = Find(header);
        if (stream is null)
            return;
        if (!stream.AddSendWindow(header.Length))
            throw new ProtocolViolationException($"the peer opened the window of stream {header.StreamId} beyond 2 GiB");
        OnEndFlags(stream, header.Flags);
    }

    private void OnPing(FrameHeader header)
    {
        if (header.Flags.HasFlag(FrameFlags.Syn))
        {
            Writer.Post(new FrameHeader(FrameType.Ping, FrameFlags.Ack, 0, header.Length));
            return;
        }

        lock (_gate)
        {
            if (_pings.TryGetValue(header.Length, out var pong))
                pong.TrySetResult();
        }
    }

    private void OnEndFlags(YamuxStream stream, FrameFlags flags)
    {
        if (flags.HasFlag(FrameFlags.Rst))
        {
            stream.OnReset();
            Forget(stream);
        }
        else if (flags.HasFlag(FrameFlags.Fin) && stream.OnFin())
        {
            Forget(stream);
        }
    }

    /// <summary>The stream a frame is for; null for one that is over already, or that is refused.</summary>
    private YamuxStream? Find(FrameHeader header)
    {
        var id = header.StreamId;
        if (id == 0)
            throw new ProtocolViolationException("the peer sent a stream frame on stream 0");
        var fromPeer = (id % 2 == 1) == (_role == YamuxRole.Server);
        lock (_gate)
        {
            if (header.Flags.HasFlag(FrameFlags.Syn))
                return fromPeer ? Admit(id) : throw new ProtocolViolationException($"the peer opened stream {id}, an id of this side");
            if (_streams.TryGetValue(id, out var stream))
                return stream;
            var known = fromPeer ? id <= _highestPeerId : id < _nextId;
            return known ? null : throw new ProtocolViolationException($"the peer sent a frame for stream {id}, which was never opened");
        }
    }

    private YamuxStream? Admit(uint id)
    {
        if (_streams.ContainsKey(id))
            throw new ProtocolViolationException($"the peer opened stream {id} twice");
        _highestPeerId = Math.Max(_highestPeerId, id);
        if (!_accepts || _streams.Count >= Options.MaxStreams)
        {
            Writer.Post(new FrameHeader(FrameType.WindowUpdate, FrameFlags.Rst, id, 0));
            return null;
        }

        var stream = new YamuxStream(this, id, FrameFlags.Ack) { AwaitingPort = true };
        _streams.Add(id, stream);
        return stream;
    }

    /// <summary>Hands a stream of the peer out once its port is known. Null when it ended before that.</summary>
    private YamuxStream? Announce(YamuxStream stream, FrameFlags flags)
    {
        if (stream.TryTakePort(out var port))
        {
            stream.AwaitingPort = false;
            _accepted.Writer.TryWrite(new AcceptedStream(port, stream));
            return stream;
        }

        if ((flags & (FrameFlags.Fin | FrameFlags.Rst)) == 0)
            return stream;
        stream.Abandon();
        return null;
    }

    private sealed class ProtocolViolationException(string message) : Exception(message);
}
