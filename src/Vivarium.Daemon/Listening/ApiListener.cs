using System.Collections.Concurrent;
using System.Net.Sockets;
using Vivarium.Daemon.Masterblaster;
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

    private const int MaxFirstLine = 1024 * 1024;
    private static readonly TimeSpan FirstWord = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan OutOfDescriptors = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<long, UnixSocketStream> open = [];
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
                if (open.Count >= MaxConnections)
                {
                    LogTooMany(MaxConnections);
                    accepted.Dispose();
                    continue;
                }

                var id = Interlocked.Increment(ref last);
                var stream = new UnixSocketStream(accepted);
                open[id] = stream;
                _ = ServeAsync(id, stream);
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

    /// <summary>Ends all connections.</summary>
    public async Task CloseAsync()
    {
        foreach (var stream in open.Values)
        {
            await stream.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task ServeAsync(long id, UnixSocketStream stream)
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
                    await using (var connection = new JsonRpcConnection(lines, dispatcher, options))
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
        }
    }

    [LoggerMessage(EventId = 2201, Level = LogLevel.Warning, Message = "refusing a connection: {Limit} are open")]
    private partial void LogTooMany(int limit);

    [LoggerMessage(EventId = 2202, Level = LogLevel.Error, Message = "accepting a connection failed")]
    private partial void LogAcceptFailed(Exception exception);

    [LoggerMessage(EventId = 2203, Level = LogLevel.Debug, Message = "a connection ended: {Why}")]
    private partial void LogEnded(string why);

    [LoggerMessage(EventId = 2204, Level = LogLevel.Error, Message = "serving a connection failed")]
    private partial void LogBroke(Exception exception);
}
