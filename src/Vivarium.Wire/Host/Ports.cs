using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Wire.Host;

/// <summary>Parameters of <c>port.publish</c> and <c>port.unpublish</c>.</summary>
public sealed record PortParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>The port. To unpublish: host port 0 means every host port that leads to this guest port.</summary>
    public required PublishedPort Port { get; init; }
}

/// <summary>Answer to <c>port.list</c>.</summary>
public sealed record SandboxPorts
{
    /// <summary>What listens inside.</summary>
    public required IReadOnlyList<GuestListener> Listeners { get; init; }

    /// <summary>What is published on the host.</summary>
    public required IReadOnlyList<PublishedPort> Published { get; init; }

    /// <summary>What could not be found out, in a sentence.</summary>
    public string? Missing { get; init; }
}
