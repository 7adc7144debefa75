using System.Net.Sockets;
using Vivarium.Supervisor.Lifecycle;
using Vivarium.Supervisor.Logs;
using Vivarium.Transport;

namespace Vivarium.Supervisor.Control;

/// <summary>Listens on <c>supervisor.sock</c> and serves each connection, a bounded number at a time.</summary>
internal sealed class ControlSocket : IAsyncDisposable
{
    private const int MaxConnections = 2048;

    /// <summary>A non-blocking connect to a full backlog fails at once, so it is as long as the number of connections served.</summary>
    private const int Backlog = MaxConnections;
    private const int MaxConnectionsOfOne = 1536;

    /// <summary>New connections of one user a second: every exec is one, so more than the machine can do.</summary>
    private const int PerSecond = 5000;
    private static readonly TimeSpan DrainDeadline = TimeSpan.FromSeconds(1);

    private readonly Socket listener;
    private readonly string path;
    private readonly ClientConnections clients;
    private readonly SupervisorLog log;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task accepting;

    private ControlSocket(Socket listener, string path, SupervisedSandbox sandbox, SupervisorLog log)
    {
        this.listener = listener;
        this.path = path;
        this.log = log;
        clients = new ClientConnections(sandbox, log, new PeerAllowance(MaxConnections, MaxConnectionsOfOne, PerSecond, TimeProvider.System));
        accepting = AcceptAsync();
    }

    /// <summary>Binds; the caller holds the lock that makes the path ours, so one found there is a dead supervisor's.</summary>
    public static ControlSocket Bind(string path, SupervisedSandbox sandbox, SupervisorLog log)
    {
        File.Delete(path);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            // Nobody can connect before listen, so the mode is right from the first moment it matters.
            socket.Bind(new UnixDomainSocketEndPoint(path));
            SocketOwner.TakeGroupOfDirectory(path);
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite);
            socket.Listen(Backlog);
            return new ControlSocket(socket, path, sandbox, log);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Lets answers under way go out; called when the sandbox has ended.</summary>
    public Task DrainAsync() => clients.DrainAsync(DrainDeadline);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        listener.Dispose();
        await accepting.ConfigureAwait(false);
        await clients.DisposeAsync().ConfigureAwait(false);
        File.Delete(path);
        stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                clients.Serve(await listener.AcceptAsync(stopping.Token).ConfigureAwait(false));
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e)
            {
                // A client that left at once, or too many descriptors: neither may end the listener.
                log.Write("a connection was not accepted", e);
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
