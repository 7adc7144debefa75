using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Vivarium.Cli.Output;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Cli.Parsing;

/// <summary>Published ports as they are typed and printed.</summary>
internal static class PortText
{
    private const string Wanted = "GUEST, GUEST:HOST or ADDRESS:HOST:GUEST, such as 8000, 8000:8080 or 127.0.0.1:8080:8000";

    /// <summary>
    /// <c>GUEST</c>: on a free port of loopback; <c>GUEST:HOST</c>: on that one; <c>ADDRESS:HOST:GUEST</c>: at another address of this machine, an
    /// IPv6 address in brackets. A host port that is 0 or empty means a free one. <c>/tcp</c> may follow.
    /// </summary>
    public static PublishedPort Parse(string what, string text)
    {
        if (text.EndsWith("/udp", StringComparison.Ordinal))
        {
            throw Invocation.Usage($"{what}: only TCP ports are published, not '{text}'", "leave '/udp' out");
        }

        var rest = text.EndsWith("/tcp", StringComparison.Ordinal) ? text[..^4] : text;
        string? address = null;
        if (rest.StartsWith('['))
        {
            var end = rest.IndexOf("]:", StringComparison.Ordinal);
            address = end > 0 ? rest[1..end] : throw Values.Bad(what, text, Wanted);
            rest = rest[(end + 2)..];
        }

        var parts = rest.Split(':');
        if (address is null && parts.Length == 3)
        {
            address = parts[0];
            parts = parts[1..];
        }

        if (address is not null)
        {
            return parts.Length == 2 && IPAddress.TryParse(address, out var ip)
                ? new PublishedPort { GuestPort = Number(what, text, parts[1], 1), HostPort = HostNumber(what, text, parts[0]), HostAddress = ip.ToString() }
                : throw Values.Bad(what, text, Wanted);
        }

        return parts.Length switch
        {
            1 => new PublishedPort { GuestPort = Number(what, text, parts[0], 1) },
            2 => new PublishedPort { GuestPort = Number(what, text, parts[0], 1), HostPort = HostNumber(what, text, parts[1]) },
            _ => throw Values.Bad(what, text, Wanted),
        };
    }

    /// <summary>Where to connect to, as it goes into a URL.</summary>
    public static string HostOf(PublishedPort port)
    {
        if (port.HostPort == 0)
        {
            return $"a free port of {port.HostAddress}, chosen at the next start";
        }

        return IPAddress.TryParse(port.HostAddress, out var ip) && ip.AddressFamily == AddressFamily.InterNetworkV6
            ? string.Create(CultureInfo.InvariantCulture, $"[{port.HostAddress}]:{port.HostPort}")
            : string.Create(CultureInfo.InvariantCulture, $"{port.HostAddress}:{port.HostPort}");
    }

    /// <summary>Says which host ports a new sandbox got.</summary>
    public static void Announce(SandboxInfo sandbox, TextOut messages)
    {
        foreach (var port in sandbox.Ports ?? [])
        {
            messages.Line(string.Create(CultureInfo.InvariantCulture, $"viv: {HostOf(port)} leads to port {port.GuestPort} of {sandbox.Name}")).Flush();
        }
    }

    private static int HostNumber(string what, string text, string part) => part.Length == 0 ? 0 : Number(what, text, part, 0);

    private static int Number(string what, string text, string part, int least) =>
        int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port >= least && port <= 65535 ? port : throw Values.Bad(what, text, Wanted);
}
