using System.Text;
using Vivarium.Host;

namespace Vivarium.Daemon.Http.Metrics;

/// <summary><c>GET /metrics</c>: the Prometheus text format, version 0.0.4.</summary>
internal sealed class MetricsService(VivariumHost host, MetricStore store) : IHttpService
{
    private const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <inheritdoc/>
    public void Map(IEndpointRouteBuilder routes) => routes.MapMethods("/metrics", [HttpMethods.Get, HttpMethods.Head], AnswerAsync);

    private async Task AnswerAsync(HttpContext context)
    {
        if (!LoopbackHosts.Allow(context))
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            return;
        }

        await host.Gauges.RefreshAsync(context.RequestAborted).ConfigureAwait(false);
        var body = Encoding.UTF8.GetBytes(PrometheusText.Write(store.Collect()));
        context.Response.ContentType = ContentType;
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(body, context.RequestAborted).ConfigureAwait(false);
        }
    }
}
