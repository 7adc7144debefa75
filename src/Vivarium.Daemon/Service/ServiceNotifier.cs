using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Vivarium.Daemon.Service;

/// <summary>
/// Tells the service manager how we are: <c>READY=1</c>, <c>STATUS=…</c>, <c>STOPPING=1</c> and, when it wants one, a sign of life. Without
/// <c>NOTIFY_SOCKET</c> it says nothing. Source: sd_notify(3), sd_watchdog_enabled(3).
/// </summary>
internal sealed partial class ServiceNotifier(string? address, TimeSpan? watchdog, TimeProvider time, ILogger<ServiceNotifier> logger)
{
    private const string SocketVariable = "NOTIFY_SOCKET";

    /// <summary>What the service manager asked for in the environment. The variables are taken out of it: no child is to speak for us.</summary>
    public static ServiceNotifier OfThisProcess(TimeProvider time, ILogger<ServiceNotifier> logger)
    {
        var address = Take(SocketVariable);
        var period = Take("WATCHDOG_USEC");
        var pid = Take("WATCHDOG_PID");
        var ours = pid is null || pid == Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        TimeSpan? watchdog = ours && long.TryParse(period, NumberStyles.None, CultureInfo.InvariantCulture, out var us) && us > 0 ? TimeSpan.FromMicroseconds(us) : null;
        return new ServiceNotifier(address, watchdog, time, logger);
    }

    /// <summary>The daemon answers.</summary>
    public void Ready(string status) => Send($"READY=1\nSTATUS={status}");

    /// <summary>The daemon is about to stop.</summary>
    public void Stopping() => Send("STOPPING=1\nSTATUS=stopping; sandboxes go on running");

    /// <summary>
    /// Signs of life at a third of the interval asked for, each after <paramref name="alive"/> has answered; a daemon that hangs is restarted by the manager, its
    /// sandboxes go on. Does not throw.
    /// </summary>
    public async Task LiveAsync(Func<CancellationToken, Task> alive, CancellationToken cancellationToken)
    {
        if (address is null || watchdog is not { } every)
        {
            return;
        }

        using var timer = new PeriodicTimer(every / 3, time);
        try
        {
            do
            {
                await alive(cancellationToken).ConfigureAwait(false);
                Send("WATCHDOG=1");
            }
            while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The daemon stops.
        }
        catch (Exception e)
        {
            // No further sign of life: that is what a watchdog is for.
            LogDead(e);
        }
    }

    private static string? Take(string variable)
    {
        var value = Environment.GetEnvironmentVariable(variable);
        Environment.SetEnvironmentVariable(variable, null);
        return string.IsNullOrEmpty(value) ? null : value;
    }

    private void Send(string message)
    {
        // A path, or a name in the abstract namespace; vsock addresses are for machines, not for us.
        if (address is null || address[0] is not ('/' or '@'))
        {
            return;
        }

        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
            socket.SendTo(Encoding.UTF8.GetBytes(message), new UnixDomainSocketEndPoint(address[0] == '@' ? '\0' + address[1..] : address));
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            LogUnheard(e.Message);
        }
    }

    [LoggerMessage(EventId = 2401, Level = LogLevel.Warning, Message = "the service manager cannot be told: {Why}")]
    private partial void LogUnheard(string why);

    [LoggerMessage(EventId = 2402, Level = LogLevel.Error, Message = "the daemon's own check failed; the watchdog gets no further sign of life")]
    private partial void LogDead(Exception exception);
}
