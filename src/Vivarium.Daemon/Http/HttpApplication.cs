using System.Net;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Vivarium.Daemon.Http;

/// <summary>The ASP.NET Core application: Kestrel and routing, nothing else. No file, variable or signal configures it but our own.</summary>
internal static class HttpApplication
{
    /// <summary>Connections served at a time.</summary>
    public const int MaxConnections = 1024;

    private static readonly TimeSpan HeaderTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan KeepAlive = TimeSpan.FromMinutes(2);

    /// <summary>Builds it, not started.</summary>
    public static WebApplication Build(IPEndPoint endpoint, IReadOnlyList<IHttpService> services, ILoggerFactory loggers)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "vivd" });
        builder.Services.Replace(ServiceDescriptor.Singleton<IHostLifetime, OurLifetime>());
        builder.Services.Replace(ServiceDescriptor.Singleton<ILoggerFactory>(new QuietLoggers(loggers)));
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = MaxConnections;
            kestrel.Limits.MaxConcurrentUpgradedConnections = MaxConnections;
            kestrel.Limits.RequestHeadersTimeout = HeaderTime;
            kestrel.Limits.KeepAliveTimeout = KeepAlive;
            kestrel.Listen(endpoint);
        });
        var app = builder.Build();
        foreach (var service in services)
        {
            service.Map(app);
        }

        return app;
    }

    /// <summary>The daemon alone decides when to end; the default lifetime would answer SIGTERM itself.</summary>
    private sealed class OurLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>The daemon's log, not disposed with the application, and without a line for every request.</summary>
    private sealed class QuietLoggers(ILoggerFactory loggers) : ILoggerFactory
    {
        public ILogger CreateLogger(string categoryName) => new Quiet(loggers.CreateLogger(categoryName));

        public void AddProvider(ILoggerProvider provider) => loggers.AddProvider(provider);

        public void Dispose()
        {
        }

        private sealed class Quiet(ILogger inner) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning && inner.IsEnabled(logLevel);

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            {
                if (IsEnabled(logLevel))
                {
                    inner.Log(logLevel, eventId, state, exception, formatter);
                }
            }
        }
    }
}
