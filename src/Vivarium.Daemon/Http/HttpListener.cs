using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Vivarium.Configuration.Sections;
using Vivarium.Host.Health;

namespace Vivarium.Daemon.Http;

/// <summary>
/// Keeps the HTTP listener up while the daemon runs. Kestrel is loaded only when <c>http.listen</c> is set. An address that cannot be had is a health condition,
/// tried again until it can: sandboxes and the Unix socket do not depend on it.
/// </summary>
internal sealed partial class HttpListener(HttpConfig config, IReadOnlyList<IHttpService> services, HealthConditions health, TimeProvider time, ILoggerFactory loggers)
{
    private const string Condition = "http";
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan CloseTime = TimeSpan.FromSeconds(3);

    private readonly ILogger logger = loggers.CreateLogger<HttpListener>();
    private string? address;

    /// <summary>URL it listens on now; null when it does not.</summary>
    public string? Address => Volatile.Read(ref address);

    /// <summary>Listens until the token is cancelled. Does not throw.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (config.Listen.Length == 0)
        {
            return;
        }

        try
        {
            while (!await ServeAsync(cancellationToken).ConfigureAwait(false))
            {
                await Task.Delay(Again, time, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The daemon stops.
        }
        catch (Exception e)
        {
            health.Set(Condition, HealthConditions.Degraded, $"the HTTP listener broke: {e.Message}; restart the daemon (viv daemon restart), sandboxes go on running");
            LogBroke(e);
        }
    }

    /// <summary>False when the address could not be had.</summary>
    private async Task<bool> ServeAsync(CancellationToken cancellationToken)
    {
        var app = HttpApplication.Build(IPEndPoint.Parse(config.Listen), services, loggers);
        await using (app.ConfigureAwait(false))
        {
            try
            {
                await app.StartAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or SocketException or AddressInUseException)
            {
                var why = e.GetBaseException().Message;
                health.Set(Condition, HealthConditions.Degraded, $"the HTTP listener cannot have {config.Listen}: {why}; free it or change http.listen. It is tried again");
                LogRefused(config.Listen, why);
                return false;
            }

            var url = app.Urls.First();
            Volatile.Write(ref address, url);
            health.Clear(Condition);
            LogListens(url);
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).ConfigureAwait(false);
            Volatile.Write(ref address, null);
            using var patience = new CancellationTokenSource(CloseTime, time);
            await app.StopAsync(patience.Token).ConfigureAwait(false);
            return true;
        }
    }

    [LoggerMessage(EventId = 2301, Level = LogLevel.Information, Message = "HTTP on {Address}")]
    private partial void LogListens(string address);

    [LoggerMessage(EventId = 2302, Level = LogLevel.Warning, Message = "the HTTP listener cannot have {Address}: {Why}; trying again")]
    private partial void LogRefused(string address, string why);

    [LoggerMessage(EventId = 2303, Level = LogLevel.Error, Message = "the HTTP listener broke")]
    private partial void LogBroke(Exception exception);
}
