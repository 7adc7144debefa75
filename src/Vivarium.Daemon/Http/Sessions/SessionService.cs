using Vivarium.Configuration.Sections;
using Vivarium.Daemon.Http.Connect;
using Vivarium.Daemon.Http.Metrics;
using Vivarium.Host;
using Vivarium.Host.Health;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Sessions;

/// <summary>The session service and, for whoever watches the host without a token, <c>GET /health</c>: one word, 200 or 503.</summary>
internal sealed class SessionService : IHttpService
{
    private readonly VivariumHost host;
    private readonly ConnectService service;

    public SessionService(VivariumHost host, SessionsConfig config, SessionTokens tokens, DaemonMeter meter, TimeProvider time, ILoggerFactory loggers)
    {
        this.host = host;
        var started = time.GetTimestamp();
        var most = (int)config.MaxMessage.Bytes;
        service = new ConnectService(SessionMethod.Service, new SessionPolicy(tokens, meter, loggers.CreateLogger<SessionPolicy>()), most, time);
        new SessionMethods(host, tokens, most, () => time.GetElapsedTime(started)).AddTo(service);
    }

    /// <inheritdoc/>
    public void Map(IEndpointRouteBuilder routes)
    {
        service.Map(routes);
        routes.MapMethods("/health", [HttpMethods.Get, HttpMethods.Head], HealthAsync);
    }

    private async Task HealthAsync(HttpContext context)
    {
        if (!LoopbackHosts.Allow(context))
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            return;
        }

        var health = await host.Reports.HealthAsync(context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = health.Status == HealthConditions.Unhealthy ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
        context.Response.ContentType = "text/plain; charset=utf-8";
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.WriteAsync(health.Status + "\n", context.RequestAborted).ConfigureAwait(false);
        }
    }
}
