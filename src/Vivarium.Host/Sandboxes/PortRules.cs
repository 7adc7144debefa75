using System.Net;
using Vivarium.Host.Naming;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>What a published port may look like.</summary>
internal static class PortRules
{
    /// <summary>Checks the ports of a new sandbox; null when there are none.</summary>
    /// <exception cref="VivariumException">invalid_argument: which, and what it must be.</exception>
    public static IReadOnlyList<PublishedPort>? Check(IReadOnlyList<PublishedPort>? ports)
    {
        if (ports is null or { Count: 0 })
        {
            return null;
        }

        if (ports.Count > PublishedPort.Most)
        {
            throw Bad($"{ports.Count} ports are too many", $"Publish at most {PublishedPort.Most} of one sandbox.");
        }

        var clean = ports.Select(Check).ToList();
        var twice = clean.Where(static port => port.HostPort != 0).GroupBy(static port => (port.HostAddress, port.HostPort)).FirstOrDefault(static group => group.Count() > 1);
        return twice is null
            ? clean
            : throw Bad($"host port {twice.Key.HostPort} at {twice.Key.HostAddress} is named twice", "Give every published port a host port of its own, or none.");
    }

    /// <summary>Checks one; the address comes back in its usual form.</summary>
    public static PublishedPort Check(PublishedPort port)
    {
        if (port.GuestPort is < 1 or > 65535)
        {
            throw Bad($"guest port {port.GuestPort} is out of range", "Give 1 to 65535.");
        }

        if (port.HostPort is < 0 or > 65535)
        {
            throw Bad($"host port {port.HostPort} is out of range", "Give 1 to 65535, or 0 for one that is free.");
        }

        // An address such as 127.1 parses as well; what it means is better written out.
        return port.HostAddress is { } text && IPAddress.TryParse(text, out var address) && address is { IsIPv4MappedToIPv6: false, IsIPv6Multicast: false } && (text.Contains(':', StringComparison.Ordinal) || text == address.ToString())
            ? port with { HostAddress = address.ToString(), Chosen = null }
            : throw Bad($"{NameRules.Quote(port.HostAddress ?? "")} is not an address of this host", "Give an IPv4 or IPv6 address such as 127.0.0.1 or ::1, or leave it out for loopback.");
    }

    private static VivariumException Bad(string what, string hint) => new(ErrorCode.InvalidArgument, "publishing a port: " + what, hint, "bad_port");
}
