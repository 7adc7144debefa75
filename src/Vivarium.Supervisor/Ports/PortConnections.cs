using System.Net.Sockets;
using Vivarium.Supervisor.Logs;
using Vivarium.Supervisor.Streams;
using Vivarium.Transport;
using Vivarium.Transport.Guest;
using Vivarium.Transport.Supervisor;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Supervisor.Ports;

/// <summary>The connections to published ports, a bounded number: each is carried to guest port 1028 and from there to the port inside.</summary>
/// <param name="connect">Opens a stream to a guest port.</param>
/// <param name="activity">For the idle timer.</param>
/// <param name="log">Of the supervisor.</param>
internal sealed class PortConnections(Func<int, CancellationToken, ValueTask<DuplexStream>> connect, Activity activity, SupervisorLog log) : IAsyncDisposable
{
    /// <summary>
    /// Connections at a time over all published ports. A slow reader holds at most the window of its stream (256 KiB) and a send buffer, so that
    /// all of them together are bounded; one more is closed at once.
    /// </summary>
    public const int Most = 512;

    private const int SendBufferBytes = 128 * 1024;
    private const int KeepAliveSeconds = 60;
    private static readonly TimeSpan ConnectDeadline = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PartingTime = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource stopping = new();
    private readonly Lock gate = new();
    private readonly HashSet<Task> serving = [];
    private int count;

    /// <summary>Serves a connection in the background.</summary>
    public void Serve(Socket client, int guestPort)
    {
        if (Interlocked.Increment(ref count) > Most || stopping.IsCancellationRequested)
        {
            Interlocked.Decrement(ref count);
            client.Dispose();
            return;
        }

        var task = ServeAsync(client, guestPort);
        lock (gate)
        {
            serving.Add(task);
        }

        _ = task.ContinueWith(Forget, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default); // bookkeeping must happen
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        Task all;
        lock (gate)
        {
            all = Task.WhenAll(serving);
        }

        await all.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stopping.Dispose();
    }

    private void Forget(Task task)
    {
        Interlocked.Decrement(ref count);
        lock (gate)
        {
            serving.Remove(task);
        }
    }

    private async Task ServeAsync(Socket client, int guestPort)
    {
        await Task.Yield();
        using var _ = client;
        try
        {
            Tune(client);
            if (await ReachAsync(guestPort).ConfigureAwait(false) is not { } guest)
            {
                await PartAsync(client).ConfigureAwait(false);
                return;
            }

            activity.StreamOpened();
            try
            {
                using var splice = new StreamSplice(new UnixSocketStream(client, SendBufferBytes), client, guest, activity);
                await splice.RunAsync(stopping.Token).ConfigureAwait(false);
            }
            finally
            {
                await guest.DisposeAsync().ConfigureAwait(false);
                activity.StreamClosed();
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client's trouble ends the client's connection and nothing else.
        }
        catch (Exception e)
        {
            log.Write($"a connection to guest port {guestPort} failed", e);
        }
    }

    /// <summary>The port inside, or null: nobody listens, the sandbox does not run, or it does not answer.</summary>
    private async Task<DuplexStream?> ReachAsync(int guestPort)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
        patience.CancelAfter(ConnectDeadline);
        try
        {
            var stream = await connect(GuestPort.Forward, patience.Token).ConfigureAwait(false);
            return await ForwardClient.ConnectAsync(stream, new ForwardRequest { Port = guestPort }, patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is VivariumException or IOException or OperationCanceledException)
        {
            return null;
        }
    }

    private static void Tune(Socket client)
    {
        client.NoDelay = true;

        // A client whose machine has vanished is noticed, also when it only listens.
        client.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        client.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveSeconds);
    }

    /// <summary>Ends a connection in order: closing with unread bytes would be a reset, which reads as a crash.</summary>
    private async Task PartAsync(Socket client)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
        patience.CancelAfter(PartingTime);
        client.Shutdown(SocketShutdown.Send);
        var scrap = new byte[4096];
        while (await client.ReceiveAsync(scrap, patience.Token).ConfigureAwait(false) > 0)
        {
        }
    }
}
