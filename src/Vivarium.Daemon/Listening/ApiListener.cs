using System.Collections.Concurrent;
using System.Net.Sockets;
using Vivarium.Daemon.Masterblaster;
using Vivarium.Linux.Sockets;
using Vivarium.Transport;
using Vivarium.Transport.JsonRpc;
using Vivarium.Transport.Lines;
using Vivarium.Transport.Supervisor;

namespace Vivarium.Daemon.Listening;

/// <summary>
/// Accepts connections on the Unix socket and serves what their first line announces. A connection that says nothing is closed after a while; more than
/// <see cref="MaxConnections"/> are refused by closing them at once, so that a client that leaks them cannot take the daemon's descriptors.
/// </summary>
internal sealed partial class ApiListener(Socket socket, JsonRpcDispatcher dispatcher, JsonRpcOptions options, OneShot oneShot, TimeProvider time, ILogger<ApiListener> logger)
{
    /// <summary>Connections served at a time.</summary>
    public const int MaxConnections = 4096;

    /// <summary>Connections of one user served at a time: however many one leaks, others still get in.</summary>
    public const int MaxConnectionsOfOne = 2048;

    /// <summary>New connections of one user a second; a client that keeps its connection open needs one.</summary>
    private const int PerSecond = 2000;

    private const int MaxFirstLine = 1024 * 1024;
    private static readonly TimeSpan FirstWord = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Drain = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan DrainStep = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan OutOfDescriptors = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<long, UnixSocketStream> open = [];
    private readonly PeerAllowance allowance = new(MaxConnections, MaxConnectionsOfOne, PerSecond, time);
    private long last;

    /// <summary>Connections open now.</summary>
    public int Count => open.Count;

    /// <summary>Accepts until the token is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var accepted = await socket.AcceptAsync(cancellationToken).ConfigureAwait(false);
                var peer = PeerCredentials.Of(accepted);
                if (allowance.Enter(peer.Uid) is var verdict and not PeerVerdict.Welcome)
                {
                    LogRefused(peer.Uid, peer.Pid, verdict, allowance.Open);
                    accepted.Dispose();
                    continue;
                }

                var id = Interlocked.Increment(ref last);
                LogPeer(id, peer.Uid, peer.Pid);
                var stream = new UnixSocketStream(accepted);
                open[id] = stream;
                _ = ServeAsync(id, stream, peer.Uid);
            }
            catch (OperationCanceledException)
            {
                break;
            }
            catch (SocketException e)
            {
                // EMFILE and the like: wait for connections to end rather than spin.
                LogAcceptFailed(e);
                await Task.Delay(OutOfDescriptors, time, CancellationToken.None).ConfigureAwait(false);
            }
        }

        socket.Dispose();
    }

    /// <summary>Ends all connections: takes no more requests, lets the answers under way go out (the one to <c>system.shutdown</c> is one), at most for <see cref="Drain"/>.</summary>
    public async Task CloseAsync()
    {
        foreach (var stream in open.Values)
        {
            EndRequests(stream);
        }

        for (var waited = TimeSpan.Zero; !open.IsEmpty && waited < Drain; waited += DrainStep)
        {
            await Task.Delay(DrainStep, time).ConfigureAwait(false);
        }

        foreach (var stream in open.Values)
        {
            await stream.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static void EndRequests(UnixSocketStream stream)
    {
        try
        {
            stream.Socket.Shutdown(SocketShutdown.Receive);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It has left already.
        }
    }

    private async Task ServeAsync(long id, UnixSocketStream stream, uint uid)
    {
        try
        {
            var lines = new LineStream(stream);
            using var silence = new CancellationTokenSource(FirstWord, time);
            var kind = await Opening.ReadAsync(lines, MaxFirstLine, silence.Token).ConfigureAwait(false);
            switch (kind)
            {
                case OpeningKind.OneShot:
                    await oneShot.ServeAsync(lines, silence.Token).ConfigureAwait(false);
                    break;
                case OpeningKind.JsonRpc or OpeningKind.Connect:
                    await using (var connection = new JsonRpcConnection(lines, dispatcher, options) { State = PeerCredentials.Of(stream.Socket) })
                    {
                        await connection.RunAsync(CancellationToken.None).ConfigureAwait(false);
                    }

                    break;
                default:
                    break;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
        {
            LogEnded(e.Message);
        }
        catch (Exception e)
        {
            LogBroke(e);
        }
        finally
        {
            open.TryRemove(id, out _);
            await stream.DisposeAsync().ConfigureAwait(false);
            allowance.Leave(uid);
        }
    }

    [LoggerMessage(EventId = 2201, Level = LogLevel.Warning, Message = "refusing a connection of user {Uid}, pid {Pid}: {Verdict} ({Open} are open)")]
    private partial void LogRefused(uint uid, int pid, PeerVerdict verdict, int open);

    [LoggerMessage(EventId = 2205, Level = LogLevel.Debug, Message = "connection {Connection} is from user {Uid}, pid {Pid}")]
    private partial void LogPeer(long connection, uint uid, int pid);

    [LoggerMessage(EventId = 2202, Level = LogLevel.Error, Message = "accepting a connection failed")]
    private partial void LogAcceptFailed(Exception exception);

    [LoggerMessage(EventId = 2203, Level = LogLevel.Debug, Message = "a connection ended: {Why}")]
    private partial void LogEnded(string why);

    [LoggerMessage(EventId = 2204, Level = LogLevel.Error, Message = "serving a connection failed")]
    private partial void LogBroke(Exception exception);
}
