using System.Buffers;

namespace Vivarium.Transport.Io;

/// <summary>
/// Writes to any stream. Both parts are joined in one buffer first: a stream has no gathering write, and two writes would
/// wake the reader for a lone header.
/// </summary>
internal sealed class StreamSink(Stream stream) : IByteSink
{
    private Task _previous = Task.CompletedTask;

    public ValueTask WriteAsync(ReadOnlyMemory<byte> first, ReadOnlyMemory<byte> second, CancellationToken cancellationToken)
    {
        var length = first.Length + second.Length;
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        first.CopyTo(buffer);
        second.CopyTo(buffer.AsMemory(first.Length));
        var task = SendAsync(_previous, buffer, length);
        _previous = task;
        return task.IsCompletedSuccessfully ? default : new ValueTask(task.WaitAsync(cancellationToken));
    }

    public void Dispose() => stream.Dispose();

    private async Task SendAsync(Task previous, byte[] buffer, int length)
    {
        try
        {
            await previous.ConfigureAwait(false);

            // Not the caller's token: half a frame would break the session for every other stream.
            await stream.WriteAsync(buffer.AsMemory(0, length), CancellationToken.None).ConfigureAwait(false);
            await stream.FlushAsync(CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
