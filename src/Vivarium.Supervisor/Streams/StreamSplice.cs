using System.Buffers;
using System.Net.Sockets;
using Vivarium.Transport;
using Vivarium.Wire.Errors;

namespace Vivarium.Supervisor.Streams;

/// <summary>
/// Carries bytes between a client's socket and a guest stream, both ways, each with its own end. The stream is closed when both directions have ended,
/// when either side breaks, or when the client is gone altogether (which the kernel tells apart from a half-close as long as our own end is open).
/// Where it is said what is expected of the guest, a client that waits for an answer of an agent that does not live is told so, in the agent's stead.
/// </summary>
internal sealed class StreamSplice(DuplexStream client, Socket socket, DuplexStream guest, Activity activity, AnswerWatch? answers = null) : IDisposable
{
    private const int BufferBytes = 256 * 1024;
    private const int SmallBufferBytes = 16 * 1024;
    private static readonly TimeSpan GonePoll = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource broken = new();
    private volatile bool outputEnded;

    /// <summary>Runs until both directions have ended.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await using var registration = stopping.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), broken).ConfigureAwait(false);
        var toClient = Guarded(GuestToClientAsync);
        var toGuest = Guarded(ClientToGuestAsync);
        var watch = answers is null ? Task.CompletedTask : WatchAnswersAsync(answers);
        await Task.WhenAll(toClient, toGuest).ConfigureAwait(false);
        await broken.CancelAsync().ConfigureAwait(false); // ends the watches
        await watch.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose() => broken.Dispose();

    private async Task Guarded(Func<Task> direction)
    {
        try
        {
            await direction().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException or VivariumException)
        {
            // One side has gone: the other direction has nobody to serve any more.
            await broken.CancelAsync().ConfigureAwait(false);
            await guest.DisposeAsync().ConfigureAwait(false);
            await client.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task GuestToClientAsync()
    {
        await guest.CopyToAsync(new ClientSink(this), BufferBytes, broken.Token).ConfigureAwait(false);

        // Once our own end is shut the kernel reports every end of the client's as a hang-up, although it may be the orderly end of what it had to say.
        outputEnded = true;
        await client.CompleteWritesAsync(broken.Token).ConfigureAwait(false);
    }

    private async Task ClientToGuestAsync()
    {
        var pool = ArrayPool<byte>.Shared;
        var buffer = pool.Rent(SmallBufferBytes);
        try
        {
            while (await client.ReadAsync(buffer, broken.Token).ConfigureAwait(false) is var n and > 0)
            {
                activity.Touch();
                answers?.Asked();
                try
                {
                    await guest.WriteAsync(buffer.AsMemory(0, n), broken.Token).ConfigureAwait(false);
                }
                catch (IOException)
                {
                    // The guest takes no more, typically because the process has ended; what it said last is still on its way to the client.
                    return;
                }

                if (n == buffer.Length && n < BufferBytes)
                {
                    // Somebody with a lot to say: fewer, larger pieces.
                    pool.Return(buffer);
                    buffer = pool.Rent(BufferBytes);
                }
            }
        }
        finally
        {
            pool.Return(buffer);
        }

        if (IsGone())
        {
            throw new IOException("the client has gone");
        }

        await guest.CompleteWritesAsync(broken.Token).ConfigureAwait(false);
        _ = WatchHalfClosedAsync();
    }

    private async Task WatchHalfClosedAsync()
    {
        try
        {
            using var timer = new PeriodicTimer(GonePoll);
            while (await timer.WaitForNextTickAsync(broken.Token).ConfigureAwait(false))
            {
                if (IsGone())
                {
                    await Guarded(static () => throw new IOException("the client has gone")).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The splice has ended.
        }
    }

    /// <summary>Ends a stream whose request the agent does not answer because it does not live.</summary>
    private async Task WatchAnswersAsync(AnswerWatch watch)
    {
        try
        {
            if (await watch.IsSilentAsync(broken.Token).ConfigureAwait(false))
            {
                await client.WriteAsync(AnswerWatch.ErrorLine(), broken.Token).ConfigureAwait(false);
                await Guarded(static () => throw new IOException("the guest is silent")).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The splice has ended.
        }
    }

    private DuplexStream Client => client;

    private Activity Activity => activity;

    private AnswerWatch? Answers => answers;

    private bool IsGone() => !outputEnded && PeerGone.Check(socket);

    /// <summary>Writes to the client and notes the activity; <c>CopyToAsync</c> of a guest stream writes straight from its receive buffers.</summary>
    private sealed class ClientSink(StreamSplice splice) : DuplexStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            splice.Activity.Touch();
            splice.Answers?.Answered();
            return splice.Client.WriteAsync(buffer, cancellationToken);
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default) => splice.Client.CompleteWritesAsync(cancellationToken);

        public override ValueTask DisposeAsync()
        {
            GC.SuppressFinalize(this);
            return default;
        }
    }
}
