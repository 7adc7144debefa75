using System.Runtime.InteropServices;
using Vivarium.Configuration;
using Vivarium.Daemon.Api;
using Vivarium.Daemon.Http;
using Vivarium.Daemon.Http.Metrics;
using Vivarium.Daemon.Http.Sessions;
using Vivarium.Daemon.Listening;
using Vivarium.Daemon.Logging;
using Vivarium.Daemon.Service;
using Vivarium.Host;
using Vivarium.Host.Access;
using Vivarium.Host.Supervision;
using Vivarium.Transport.JsonRpc;

namespace Vivarium.Daemon;

/// <summary>
/// The composition root: locks, socket, domain, API, and their end. The socket is bound first; requests are answered as soon as the database is open, while
/// pool, engines and re-attachment go on behind.
/// </summary>
internal sealed partial class DaemonHost(VivariumConfig config, TimeProvider time)
{
    /// <summary>What a clean stop may take in all.</summary>
    public static readonly TimeSpan StopBudget = TimeSpan.FromSeconds(15);

    /// <summary>Runs until SIGTERM, SIGINT or <c>system.shutdown</c>.</summary>
    public async Task<int> RunAsync()
    {
        var started = time.GetTimestamp();
        using var loggers = DaemonLogging.Create(config.Daemon);
        var logger = loggers.CreateLogger<DaemonHost>();
        var notifier = ServiceNotifier.OfThisProcess(time, loggers.CreateLogger<ServiceNotifier>());
        var paths = HostPaths.Of(config);
        var tokens = SessionTokens.Load(config.Sessions.Enabled ? config.Sessions.TokenFile : string.Empty);
        Prepare(paths);
        using var stateLock = InstanceLock.Take(paths.StateLock, "state directory");
        using var runtimeLock = InstanceLock.Take(paths.RuntimeLock, "runtime directory");
        using var activated = ActivatedSocket.Take(paths.Socket);
        using var socket = activated ?? ApiSocket.Bind(paths.Socket, SocketGroup.Find(config.Daemon.SocketGroup));
        PidFile.Write(paths.PidFile);
        using var stop = new CancellationTokenSource();
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, static c => c.Cancel = true);
        var programs = SupervisorPrograms.Prepare(config);

        // Before there is anything to measure, so that nothing is missed.
        using var metrics = config.Http.Listen.Length > 0 ? new MetricStore() : null;
        var host = await VivariumHost.OpenAsync(config, paths, programs, time, loggers).ConfigureAwait(false);
        await using (host.ConfigureAwait(false))
        {
            var errors = new ApiErrors(loggers.CreateLogger<ApiErrors>());
            using var meter = new DaemonMeter(time);
            List<IHttpService> services = metrics is null ? [] : [new MetricsService(host, metrics)];
            if (config.Sessions.Enabled)
            {
                services.Add(new SessionService(host, config.Sessions, tokens, meter, time, loggers));
            }

            var http = new HttpListener(config.Http, services, host.Services.Health, time, loggers);
            var methods = new ApiMethods(host, () => http.Address, stop.Cancel, loggers.CreateLogger<ApiMethods>());
            var options = new JsonRpcOptions { MapError = errors.Map, Served = metrics is null ? null : meter.Served, Clock = time };
            var listener = new ApiListener(socket, methods.Build(), options, new Masterblaster.OneShot(host), time, loggers.CreateLogger<ApiListener>());
            meter.Connections(() => listener.Count);
            var serving = Task.Run(() => http.RunAsync(stop.Token), CancellationToken.None);
            var took = time.GetElapsedTime(started);
            notifier.Ready($"vivd {ProgramVersion.Text} on {paths.Socket}");
            var living = notifier.LiveAsync(_ => Task.Run(() => host.Services.Catalog.Count, CancellationToken.None), stop.Token);
            LogReady(logger, paths.Socket, ProgramVersion.Text, Environment.ProcessId, took);
            await listener.RunAsync(stop.Token).ConfigureAwait(false);
            LogStopping(logger);
            notifier.Stopping();
            using var budget = new CancellationTokenSource(StopBudget, time);
            await host.StopAsync(budget.Token).ConfigureAwait(false);
            await listener.CloseAsync().ConfigureAwait(false);
            await serving.ConfigureAwait(false);
            await living.ConfigureAwait(false);
        }

        if (activated is null)
        {
            File.Delete(paths.Socket);
        }

        File.Delete(paths.PidFile);
        LogStopped(logger);
        return 0;

        void OnSignal(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }
    }

    private void Prepare(HostPaths paths)
    {
        const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Directory.CreateDirectory(paths.State, owner);
        Directory.CreateDirectory(paths.Sandboxes, owner);
        Directory.CreateDirectory(paths.DaemonLogs, owner);
        Directory.CreateDirectory(paths.Runtime, owner);
        SocketGroup.Hand(paths.Runtime, SocketGroup.Find(config.Daemon.SocketGroup), owner, UnixFileMode.GroupRead | UnixFileMode.GroupExecute);
    }

    [LoggerMessage(EventId = 2101, Level = LogLevel.Information, Message = "vivd {Version} listens on {Socket} (pid {Pid}, started in {Took})")]
    private static partial void LogReady(ILogger logger, string socket, string version, int pid, TimeSpan took);

    [LoggerMessage(EventId = 2102, Level = LogLevel.Information, Message = "stopping; sandboxes go on running")]
    private static partial void LogStopping(ILogger logger);

    [LoggerMessage(EventId = 2103, Level = LogLevel.Information, Message = "stopped")]
    private static partial void LogStopped(ILogger logger);
}
