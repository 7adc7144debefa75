namespace Vivarium.Transport.Yamux;

/// <summary>Writing within the window the peer gave.</summary>
internal sealed partial class YamuxStream
{
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
}
