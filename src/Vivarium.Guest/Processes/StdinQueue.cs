using Vivarium.Guest.Io;

namespace Vivarium.Guest.Processes;

/// <summary>
/// Input on its way to a process. Written at once while the process reads; what it does not take yet is queued up to a bound, so that a signal or resize
/// sent behind the input is still seen, and beyond the bound the sender waits.
/// </summary>
internal sealed class StdinQueue(PolledFd sink, bool terminal, GvisorTerminal? keys = null)
{
    /// <summary>Bytes queued before the sender has to wait.</summary>
    public const int Bound = 512 * 1024;

    private const byte EndOfTransmission = 4;

    private readonly Lock _gate = new();
    private readonly Queue<ReadOnlyMemory<byte>> _queue = new();
    private TaskCompletionSource? _space;
    private long _queued;
    private bool _draining;
    private bool _closing;
    private bool _closed;

    /// <summary>Takes input; completes when more may be sent. Input after the end is dropped, as a closed pipe would.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        if (keys is not null)
        {
            bytes = keys.TakeSignalKeys(bytes);
        }

        Task? wait = null;
        lock (_gate)
        {
            if (_closing || _closed)
            {
                return;
            }

            if (!_draining)
            {
                var count = sink.TryWrite(bytes.Span);
                if (count == bytes.Length)
                {
                    return;
                }

                if (count == PolledFd.Gone)
                {
                    Close();
                    return;
                }

                bytes = bytes[Math.Max(0, count)..];
            }

            Enqueue(bytes.ToArray());
            if (_queued > Bound)
            {
                _space ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                wait = _space.Task;
            }
        }

        if (wait is not null)
        {
            await wait;
        }
    }

    /// <summary>Ends the input once everything before it has been taken. On a terminal this types Ctrl-D.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            if (_closing || _closed)
            {
                return;
            }

            if (terminal)
            {
                Enqueue(new byte[] { EndOfTransmission });
                return;
            }

            _closing = true;
            if (!_draining)
            {
                Close();
            }
        }
    }

    /// <summary>Drops what is queued; called at the end of the process.</summary>
    public void Abandon()
    {
        lock (_gate)
        {
            Close();
        }
    }

    private void Enqueue(ReadOnlyMemory<byte> bytes)
    {
        _queue.Enqueue(bytes);
        _queued += bytes.Length;
        if (!_draining)
        {
            _draining = true;
            _ = DrainAsync();
        }
    }

    private void Close()
    {
        _closed = true;
        _queue.Clear();
        _queued = 0;
        _space?.TrySetResult();
        _space = null;
        if (terminal)
        {
            sink.Wake();
        }
        else
        {
            sink.Dispose();
        }
    }

    private async Task DrainAsync()
    {
        // Leave the caller's lock before the first write.
        await Task.Yield();
        while (true)
        {
            ReadOnlyMemory<byte> next;
            lock (_gate)
            {
                if (_closed)
                {
                    return;
                }

                if (!_queue.TryPeek(out next))
                {
                    _draining = false;
                    if (_closing)
                    {
                        Close();
                    }

                    return;
                }
            }

            var open = await sink.WriteAllAsync(next);
            lock (_gate)
            {
                if (_closed)
                {
                    return;
                }

                if (!open)
                {
                    Close();
                    return;
                }

                _queue.Dequeue();
                _queued -= next.Length;
                if (_queued <= Bound / 2)
                {
                    _space?.TrySetResult();
                    _space = null;
                }
            }
        }
    }
}
