using System.Diagnostics;

namespace Vivarium.Transport.Yamux;

/// <summary>Reading, and the credit it gives back.</summary>
internal sealed partial class YamuxStream
{
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
}
