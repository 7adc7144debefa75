using System.Net;

namespace Vivarium.Daemon.Http;

/// <summary>
/// Against DNS rebinding: a page in a browser on this machine can make its own name resolve to 127.0.0.1 and read what answers there. A request to a loopback
/// address must therefore name that machine, not some other host.
/// </summary>
internal static class LoopbackHosts
{
    /// <summary>Whether the request may be answered as far as its Host header says.</summary>
    public static bool Allow(HttpContext context)
    {
        if (context.Connection.LocalIpAddress is not { } local || !IPAddress.IsLoopback(local))
        {
            return true;
        }

        var host = context.Request.Host.Host.Trim('[', ']');
        return host.Length == 0 || host == "localhost" || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
    }
}
