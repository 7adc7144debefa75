namespace Vivarium.Daemon.Http;

/// <summary>What one folder below <c>Http/</c> serves. Its routes are its own; the listener and its limits are shared.</summary>
internal interface IHttpService
{
    /// <summary>
    /// Adds its routes. Map <see cref="RequestDelegate"/>s: they need neither reflection nor generated code. A request is abandoned when the client leaves
    /// (<c>HttpContext.RequestAborted</c>); work on sandboxes must not be tied to that.
    /// </summary>
    void Map(IEndpointRouteBuilder routes);
}
