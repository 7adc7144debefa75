using System.Buffers;

namespace Vivarium.Transport.Lines;

/// <summary>
/// Lines on their way out of a connection with many writers: what gathers while one write is under way leaves in the next.
/// </summary>
internal sealed class LineQueue(Stream output)
{
    private readonly Lock _gate = new();
    private byte[] _pending = [];
    private int _length;
    private TaskCompletionSource? _batch;
    private bool _busy;
    private Exception? _failure;

    /// <summary>Adds a line; the task completes when it has been written.</summary>
    public Task WriteAsync(ReadOnlySpan<byte> line)
    {
        Task written;
        lock (_gate)
        {
            if (_failure is not null)
                return Task.FromException(_failure);
            Append(line);
            _batch ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            written = _batch.Task;
            if (_busy)
                return written;
            _busy = true;
        }

        _ = DrainAsync();
        return written;
    }

    /// <summary>Adds a line unless more than this many bytes wait already.</summary>
    public bool TryWrite(ReadOnlySpan<byte> line, int maxBacklog)
    {
        lock (_gate)
        {
            if (_failure is not null || _length + line.Length > maxBacklog)
                return false;
        }

        _ = WriteAsync(line);
        return true;
    }

    /// <summary>Completes when no more than this many bytes wait for the peer to read, or never will again.</summary>
    public Task WhenBelowAsync(int backlog)
    {
        lock (_gate)
            return _failure is not null || _length <= backlog || _batch is null ? Task.CompletedTask : _batch.Task;
    }

    /// <summary>Refuses everything from now on.</summary>
    public void Fail(Exception failure)
    {
        TaskCompletionSource? batch;
        lock (_gate)
        {
            _failure ??= failure;
            batch = _batch;
            _batch = null;
        }

        batch?.TrySetException(failure);
        _ = batch?.Task.Exception; // Observed: a notification nobody waits for must not surface as an unobserved error.
    }

    private async Task DrainAsync()
    {
        while (true)
        {
            byte[] bytes;
            int length;
            TaskCompletionSource? batch;
            lock (_gate)
            {
                if (_length == 0 || _failure is not null)
                {
                    _busy = false;
                    return;
                }

                (bytes, length, batch) = (_pending, _length, _batch);
                (_pending, _length, _batch) = ([], 0, null);
            }

            try
            {
                // Never cancelled: half a line would break the connection for everyone on it.
                await output.WriteAsync(bytes.AsMemory(0, length), CancellationToken.None).ConfigureAwait(false);
                await output.FlushAsync(CancellationToken.None).ConfigureAwait(false);
                ArrayPool<byte>.Shared.Return(bytes);
                batch?.TrySetResult();
            }
            catch (Exception e)
            {
                batch?.TrySetException(e);
                _ = batch?.Task.Exception;
                Fail(e);
            }
        }
    }

    private void Append(ReadOnlySpan<byte> line)
    {
        if (_pending.Length - _length < line.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_length + line.Length, _pending.Length * 2));
            _pending.AsSpan(0, _length).CopyTo(larger);
            if (_pending.Length > 0)
                ArrayPool<byte>.Shared.Return(_pending);
            _pending = larger;
        }

        line.CopyTo(_pending.AsSpan(_length));
        _length += line.Length;
    }
}
