using System.Net;
using System.Net.Sockets;
using Vivarium.Supervisor.Logs;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor.Ports;

/// <summary>One listening socket on the host that stands for a port of the sandbox. Connections wait in its queue until the sandbox runs.</summary>
internal sealed class PublishedListener : IAsyncDisposable
{
    private const int Backlog = 128;
    private const int SOL_SOCKET = 1;
    private const int SO_REUSEADDR = 2;
    private static readonly TimeSpan AfterFailure = TimeSpan.FromMilliseconds(100);

    private readonly Socket socket;
    private readonly SupervisorLog log;
    private readonly CancellationTokenSource stopping = new();
    private Task accepting = Task.CompletedTask;

    private PublishedListener(Socket socket, PublishedPort port, SupervisorLog log)
    {
        this.socket = socket;
        this.log = log;
        Port = port;
    }

    /// <summary>What it publishes, with the host port it got.</summary>
    public PublishedPort Port { get; }

    /// <summary>Binds and listens; nothing is accepted yet.</summary>
    /// <exception cref="VivariumException">already_exists <c>port_taken</c>; permission_denied; invalid_argument: no such address here.</exception>
    public static PublishedListener Bind(PublishedPort wanted, SupervisorLog log)
    {
        var address = IPAddress.Parse(wanted.HostAddress);
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // Connections of an earlier run that the kernel still remembers must not be in the way; a living listener still is.
            socket.SetRawSocketOption(SOL_SOCKET, SO_REUSEADDR, BitConverter.GetBytes(1));
            if (address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.DualMode = false;
            }

            socket.Bind(new IPEndPoint(address, wanted.HostPort));
            socket.Listen(Backlog);
            return new PublishedListener(
                socket,
                wanted with { HostPort = ((IPEndPoint)socket.LocalEndPoint!).Port, Chosen = wanted.HostPort == 0 || wanted.Chosen == true ? true : null },
                log);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw Refused(wanted, e);
        }
    }

    /// <summary>Hands every connection to <paramref name="serve"/>, which must not block, once <paramref name="open"/> has completed.</summary>
    public void Start(Task open, Action<Socket> serve) => accepting = AcceptAsync(open, serve);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        socket.Dispose();
        await accepting.ConfigureAwait(false);
        stopping.Dispose();
    }

    private static VivariumException Refused(PublishedPort wanted, SocketException e)
    {
        var what = $"cannot publish guest port {wanted.GuestPort} at {new IPEndPoint(IPAddress.Parse(wanted.HostAddress), wanted.HostPort)}";
        return e.SocketErrorCode switch
        {
            SocketError.AddressAlreadyInUse => new VivariumException(
                ErrorCode.AlreadyExists, $"{what}: the port is taken on the host", "Choose another host port, or name none and one is chosen.", "port_taken", e),
            SocketError.AccessDenied => new VivariumException(
                ErrorCode.PermissionDenied, $"{what}: ports below 1024 are not ours to take", "Choose a host port from 1024 on.", "port_not_permitted", e),
            SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported => new VivariumException(
                ErrorCode.InvalidArgument, $"{what}: this host has no such address", "Leave the address out for loopback, or name one of the host's.", "no_such_address", e),
            _ => new VivariumException(ErrorCode.Unavailable, $"{what}: {e.Message}", "Try another host port.", "port_refused", e),
        };
    }

    private async Task AcceptAsync(Task open, Action<Socket> serve)
    {
        try
        {
            await open.WaitAsync(stopping.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        while (!stopping.IsCancellationRequested)
        {
            try
            {
                serve(await socket.AcceptAsync(stopping.Token).ConfigureAwait(false));
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e)
            {
                // A client that left at once, or too many descriptors: neither may end the listener, and the second must not spin.
                log.Write($"a connection to {Port.HostAddress}:{Port.HostPort} was not accepted", e);
                await Task.Delay(AfterFailure, TimeProvider.System, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
