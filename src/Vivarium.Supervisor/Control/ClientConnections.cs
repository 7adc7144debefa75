using System.Net.Sockets;
using Vivarium.Supervisor.Lifecycle;
using Vivarium.Supervisor.Logs;
using Vivarium.Supervisor.Streams;
using Vivarium.Transport;
using Vivarium.Transport.JsonRpc;
using Vivarium.Transport.Lines;
using Vivarium.Transport.Supervisor;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor.Control;

/// <summary>The connections of the control socket: each says with its first line what it is (see <see cref="SupervisorMethod"/>).</summary>
internal sealed class ClientConnections(SupervisedSandbox sandbox, SupervisorLog log, PeerAllowance allowance) : IAsyncDisposable
{
    private const int MaxFirstLine = 64 * 1024;
    private static readonly TimeSpan FirstLineDeadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ConnectDeadline = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private readonly HashSet<Task> serving = [];
    private readonly CancellationTokenSource stopping = new();
    private readonly HashSet<Socket> callers = [];
    private readonly JsonRpcDispatcher methods = ControlMethods.Build(sandbox);
    private readonly JsonRpcOptions options = new()
    {
        MaxMessageBytes = 8 * 1024 * 1024,
        MaxConcurrentRequests = 64,
        MaxBacklogBytes = 1024 * 1024,
        MapError = (call, e) => Describe(log, call.Method, e),
    };

    private long refused;
    private PeerIdentity lastPeer;

    /// <summary>Serves a new connection in the background; one too many is closed at once.</summary>
    public void Serve(Socket socket)
    {
        var peer = PeerIdentity.Of(socket);
        if (allowance.Enter(peer.Uid) is var verdict and not PeerVerdict.Welcome)
        {
            socket.Dispose();
            if (refused++ % 1000 == 0)
            {
                log.Write($"refused a connection of user {peer.Uid}, pid {peer.Pid}: {verdict} ({allowance.Open} are open; {refused} refused so far)");
            }

            return;
        }

        var task = ServeAsync(socket, peer);
        lock (gate)
        {
            serving.Add(task);
        }

        _ = task.ContinueWith(ended => Forget(ended, peer.Uid), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default); // bookkeeping must happen
    }

    /// <summary>Takes no more requests, lets the answers under way go out, at most so long.</summary>
    public async Task DrainAsync(TimeSpan deadline)
    {
        Task all;
        lock (gate)
        {
            foreach (var caller in callers)
            {
                EndRequests(caller);
            }

            all = Task.WhenAll(serving);
        }

        await all.WaitAsync(deadline).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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

    private static ErrorInfo Describe(SupervisorLog log, string what, Exception e)
    {
        if (e is VivariumException known)
        {
            return known.ToInfo();
        }

        log.Write($"{what} failed", e);
        return e switch
        {
            OperationCanceledException => new ErrorInfo { Code = ErrorCodes.ToText(ErrorCode.Canceled), Message = $"{what} was given up" },
            TimeoutException => new ErrorInfo { Code = ErrorCodes.ToText(ErrorCode.DeadlineExceeded), Message = $"{what} took too long: {e.Message}" },
            _ => new ErrorInfo { Code = ErrorCodes.ToText(ErrorCode.Internal), Message = $"{what} failed: {e.Message}" },
        };
    }

    /// <summary>Who came; a program that opens one stream after the other is named once.</summary>
    private void Note(PeerIdentity peer, OpeningKind kind)
    {
        lock (gate)
        {
            if (kind == OpeningKind.Connect && peer == lastPeer)
            {
                return;
            }

            lastPeer = peer;
        }

        log.Write($"connection ({kind}) of user {peer.Uid}, pid {peer.Pid}");
    }

    private void Forget(Task task, uint uid)
    {
        allowance.Leave(uid);
        lock (gate)
        {
            serving.Remove(task);
        }
    }

    private async Task ServeAsync(Socket socket, PeerIdentity peer)
    {
        await Task.Yield();
        var line = new LineStream(new UnixSocketStream(socket));
        await using var _ = line.ConfigureAwait(false);
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
            patience.CancelAfter(FirstLineDeadline);
            var kind = await Opening.ReadAsync(line, MaxFirstLine, patience.Token).ConfigureAwait(false);
            Note(peer, kind);
            switch (kind)
            {
                case OpeningKind.Connect:
                    await ConnectAsync(line, socket, peer, patience.Token).ConfigureAwait(false);
                    break;
                case OpeningKind.OneShot:
                    await OneShot.AnswerAsync(line, sandbox, peer.IsOwner, patience.Token).ConfigureAwait(false);
                    break;
                case OpeningKind.JsonRpc:
                    await CallsAsync(line, socket, peer).ConfigureAwait(false);
                    break;
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException or VivariumException)
        {
            // The client's trouble ends the client's connection and nothing else.
        }
        catch (Exception e)
        {
            log.Write("a connection failed", e);
        }
    }

    private static void EndRequests(Socket socket)
    {
        try
        {
            socket.Shutdown(SocketShutdown.Receive);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It has left already.
        }
    }

    private async Task CallsAsync(LineStream line, Socket socket, PeerIdentity peer)
    {
        if (!peer.IsOwner)
        {
            await line.WriteAsync(
                "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32005,\"message\":\"control methods are the daemon's\",\"data\":{\"code\":\"permission_denied\",\"message\":\"control methods are the daemon's\"}}}\n"u8.ToArray(),
                stopping.Token).ConfigureAwait(false);
            return;
        }

        lock (gate)
        {
            callers.Add(socket);
        }

        try
        {
            await using var connection = new JsonRpcConnection(line, methods, options);
            await connection.RunAsync(stopping.Token).ConfigureAwait(false);
            (connection.State as IDisposable)?.Dispose();
        }
        finally
        {
            lock (gate)
            {
                callers.Remove(socket);
            }
        }
    }

    private async Task ConnectAsync(LineStream line, Socket socket, PeerIdentity peer, CancellationToken cancellationToken)
    {
        DuplexStream guest;
        ConnectLine request;
        try
        {
            request = await line.ReadJsonLineAsync(SupervisorJson.Default.ConnectLine, MaxFirstLine, cancellationToken).ConfigureAwait(false);
            if (request.Ticket is null ? !peer.IsOwner : !sandbox.Tickets.TryUse(request.Ticket, request.Connect))
            {
                throw new VivariumException(
                    ErrorCode.Unauthenticated, $"cannot connect to guest port {request.Connect}: the ticket is missing, wrong, used or expired", "ask the daemon for a new one", "bad_ticket");
            }

            using var opening = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
            opening.CancelAfter(ConnectDeadline);
            guest = await sandbox.ConnectAsync(request.Connect, opening.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is VivariumException or IOException or OperationCanceledException)
        {
            await line.WriteJsonLineAsync(new ConnectReply { Ok = false, Error = Describe(log, "connect", e) }, SupervisorJson.Default.ConnectReply, stopping.Token).ConfigureAwait(false);
            return;
        }

        sandbox.Activity.StreamOpened();
        try
        {
            await line.WriteJsonLineAsync(new ConnectReply { Ok = true }, SupervisorJson.Default.ConnectReply, stopping.Token).ConfigureAwait(false);
            using var splice = new StreamSplice(line, socket, guest, sandbox.Activity, AnswerWatch.Of(request.Connect, sandbox.Pulse));
            await splice.RunAsync(stopping.Token).ConfigureAwait(false);
        }
        finally
        {
            await guest.DisposeAsync().ConfigureAwait(false);
            sandbox.Activity.StreamClosed();
        }
    }
}
