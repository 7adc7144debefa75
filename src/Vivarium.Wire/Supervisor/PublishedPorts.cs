namespace Vivarium.Wire.Supervisor;

/// <summary>
/// A TCP port of the sandbox that answers on the host too. The sandbox's supervisor listens on the host and carries every connection through the guest
/// connection, so that it works without a network and whether or not the daemon runs.
/// </summary>
public sealed record PublishedPort
{
    /// <summary>Address on the host when none is given.</summary>
    public const string Loopback = "127.0.0.1";

    /// <summary>Most published ports of one sandbox.</summary>
    public const int Most = 64;

    /// <summary>Port inside the sandbox, 1 to 65535.</summary>
    public required int GuestPort { get; init; }

    /// <summary>Address on the host, IPv4 or IPv6; loopback unless another is asked for.</summary>
    public string HostAddress { get; init; } = Loopback;

    /// <summary>Port on the host; 0 asks for a free one.</summary>
    public int HostPort { get; init; }

    /// <summary>The host port was chosen here, not asked for: when it is taken at the next start, another one is chosen.</summary>
    public bool? Chosen { get; init; }
}

/// <summary>Answer to <c>ports</c>.</summary>
public sealed record PublishedPortsReply
{
    /// <summary>What is published now.</summary>
    public required IReadOnlyList<PublishedPort> Ports { get; init; }
}
