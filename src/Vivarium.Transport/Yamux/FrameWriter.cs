using System.Buffers;
using Vivarium.Transport.Io;
using Vivarium.Wire.Errors;

namespace Vivarium.Transport.Yamux;

/// <summary>
/// The one way out of a session. Whoever finds it free writes straight from its own memory; while it is taken, small frames
/// gather in a batch that the holder sends on the way out, and large ones queue for their turn.
/// </summary>
internal sealed class FrameWriter(IByteSink sink, int maxBacklog)
{
    /// <summary>Payloads up to this many bytes are copied into the batch instead of waiting.</summary>
    private const int SmallPayload = 4096;

    private const int FirstBatch = 4096;

    /// <summary>After this many batches the holder lets the pool go on, so that no caller sends for others for ever.</summary>
    private const int RoundsPerHolder = 8;

    private readonly Lock _gate = new();
    private readonly byte[] _header = new byte[FrameHeader.Size];
    private readonly LinkedList<Turn> _turns = new();
    private byte[]? _batch;
    private int _batchLength;
    private bool _taken;
    private SessionEnd? _end;
    private TaskCompletionSource? _idle;

    /// <summary>Called once, outside any lock, when the way out is broken or the peer does not read.</summary>
    public Action<SessionEnd>? Failed { get; set; }

    /// <summary>Sends a frame; completes when the payload's memory is free again.</summary>
    public ValueTask WriteAsync(FrameHeader header, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        Turn? turn = null;
        lock (_gate)
        {
            ThrowIfFailed();
            if (!_taken)
            {
                _taken = true;
            }
            else if (payload.Length <= SmallPayload && _batchLength + FrameHeader.Size + payload.Length <= maxBacklog / 2)
            {
                Append(header, payload.Span);
                return default;
            }
            else
            {
                turn = new Turn();
                turn.Node = _turns.AddLast(turn);
            }
        }

        return turn is null ? WriteHeldAsync(header, payload, cancellationToken) : WriteInTurnAsync(turn, header, payload, cancellationToken);
    }

    /// <summary>Sends a frame without payload and never waits; a peer that lets too many of them pile up ends the session.</summary>
    public void Post(FrameHeader header)
    {
        SessionEnd? end = null;
        lock (_gate)
        {
            if (_end is not null)
                return;
            if (_batchLength + FrameHeader.Size > maxBacklog)
            {
                end = new SessionEnd("peer_stalled", $"the peer did not read {maxBacklog} bytes of small frames");
            }
            else
            {
                Append(header, default);
                if (_taken)
                    return;
                _taken = true;
            }
        }

        if (end is not null)
            Fail(end);
        else
            Release();
    }

    /// <summary>
    /// Waits for the way out, sends this frame and keeps the way: nothing leaves after it until <see cref="EndHold"/>. Small frames gather meanwhile, larger ones wait.
    /// </summary>
    public async ValueTask HoldAsync(FrameHeader last, CancellationToken cancellationToken)
    {
        Turn? turn = null;
        lock (_gate)
        {
            ThrowIfFailed();
            if (!_taken)
            {
                _taken = true;
            }
            else
            {
                turn = new Turn();
                turn.Node = _turns.AddLast(turn);
            }
        }

        if (turn is not null)
            await AwaitTurnAsync(turn, cancellationToken).ConfigureAwait(false);

        last.Write(_header);
        try
        {
            // Seen through: half a frame would be worse than waiting.
            await sink.WriteAsync(_header, default, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            throw Broken(e);
        }
    }

    /// <summary>Lets what waited behind <see cref="HoldAsync"/> go on, after a frame of its own when one is given.</summary>
    public void EndHold(FrameHeader? first = null)
    {
        lock (_gate)
        {
            if (first is { } frame && _end is null)
                Prepend(frame);
        }

        Release();
    }

    /// <summary>Ends all writing; waiting writers fail with this error.</summary>
    public void Abort(SessionEnd end)
    {
        Turn[] waiting;
        lock (_gate)
        {
            if (_end is not null)
                return;
            _end = end;
            waiting = [.. _turns];
            _turns.Clear();
            _idle?.TrySetResult();
        }

        foreach (var turn in waiting)
            turn.TrySetException(end.ToException());
    }

    /// <summary>Completes when everything accepted so far has been sent, or never will be.</summary>
    public Task WhenIdleAsync()
    {
        lock (_gate)
        {
            if (!_taken || _end is not null)
                return Task.CompletedTask;
            _idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _idle.Task;
        }
    }

    private async ValueTask WriteInTurnAsync(Turn turn, FrameHeader header, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        await AwaitTurnAsync(turn, cancellationToken).ConfigureAwait(false);
        await WriteHeldAsync(header, payload, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask AwaitTurnAsync(Turn turn, CancellationToken cancellationToken)
    {
        await using (cancellationToken.UnsafeRegister(static (state, token) => ((Turn)state!).TrySetCanceled(token), turn).ConfigureAwait(false))
        {
            try
            {
                await turn.Task.ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                lock (_gate)
                {
                    if (turn.Node is { List: not null } node)
                        _turns.Remove(node);
                }

                throw new FrameNotSentException(cancellationToken);
            }
        }
    }

    private ValueTask WriteHeldAsync(FrameHeader header, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        header.Write(_header);
        ValueTask write;
        try
        {
            write = sink.WriteAsync(_header, payload, cancellationToken);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw Broken(e);
        }

        if (!write.IsCompletedSuccessfully)
            return FinishHeldAsync(write);
        Release();
        return default;
    }

    private async ValueTask FinishHeldAsync(ValueTask write)
    {
        try
        {
            await write.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The sink has the rest of the frame and sends it first.
            Release();
            throw;
        }
        catch (Exception e)
        {
            throw Broken(e);
        }

        Release();
    }

    private void Release()
    {
        for (var round = 0; ; round++)
        {
            byte[] batch;
            int length;
            lock (_gate)
            {
                if (_batchLength == 0 || _end is not null)
                {
                    HandOver();
                    return;
                }

                if (round == RoundsPerHolder)
                {
                    ThreadPool.UnsafeQueueUserWorkItem(static writer => writer.Release(), this, preferLocal: false);
                    return;
                }

                (batch, length) = (_batch!, _batchLength);
                (_batch, _batchLength) = (null, 0);
            }

            ValueTask write;
            try
            {
                write = sink.WriteAsync(batch.AsMemory(0, length), default, CancellationToken.None);
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                Broken(e);
                return;
            }

            if (!write.IsCompletedSuccessfully)
            {
                _ = FinishBatchAsync(write, batch);
                return;
            }

            ArrayPool<byte>.Shared.Return(batch);
        }
    }

    private async Task FinishBatchAsync(ValueTask write, byte[] batch)
    {
        try
        {
            await write.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            Broken(e);
            return;
        }

        ArrayPool<byte>.Shared.Return(batch);
        Release();
    }

    /// <summary>Under the gate: the next large writer takes over, or nobody.</summary>
    private void HandOver()
    {
        while (_turns.First is { } next)
        {
            _turns.RemoveFirst();
            if (next.Value.TrySetResult())
                return;
        }

        _taken = false;
        _idle?.TrySetResult();
        _idle = null;
    }

    private void Append(FrameHeader header, ReadOnlySpan<byte> payload)
    {
        var needed = _batchLength + FrameHeader.Size + payload.Length;
        if (_batch is null || _batch.Length < needed)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(FirstBatch, needed));
            if (_batch is not null)
            {
                _batch.AsSpan(0, _batchLength).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(_batch);
            }

            _batch = larger;
        }

        header.Write(_batch.AsSpan(_batchLength));
        payload.CopyTo(_batch.AsSpan(_batchLength + FrameHeader.Size));
        _batchLength = needed;
    }

    /// <summary>Under the gate: puts a frame before what has gathered.</summary>
    private void Prepend(FrameHeader header)
    {
        Append(header, default);
        var batch = _batch.AsSpan(0, _batchLength);
        batch[..^FrameHeader.Size].CopyTo(batch[FrameHeader.Size..]);
        header.Write(batch);
    }

    private VivariumException Broken(Exception cause)
    {
        Fail(new SessionEnd("io_error", "writing to it failed", cause));
        return _end!.ToException();
    }

    private void Fail(SessionEnd end)
    {
        Abort(end);
        Failed?.Invoke(end);
    }

    private void ThrowIfFailed()
    {
        if (_end is not null)
            throw _end.ToException();
    }

    /// <summary>The write was cancelled before its first byte left.</summary>
    internal sealed class FrameNotSentException(CancellationToken token) : OperationCanceledException(token);

    private sealed class Turn() : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public LinkedListNode<Turn>? Node { get; set; }
    }
}
