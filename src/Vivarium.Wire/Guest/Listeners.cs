namespace Vivarium.Wire.Guest;

/// <summary>Answer to <c>listeners</c>: what waits for connections or datagrams in the sandbox.</summary>
public sealed record ListenersPayload
{
    /// <summary>By protocol and port; at most <see cref="Most"/>.</summary>
    public required IReadOnlyList<GuestListener> Listeners { get; init; }

    /// <summary>What could not be found out, in a sentence; absent when nothing is missing.</summary>
    public string? Missing { get; init; }

    /// <summary>Most listeners reported.</summary>
    public const int Most = 1024;
}

/// <summary>A listening TCP socket or a bound, unconnected UDP socket.</summary>
public sealed record GuestListener
{
    /// <summary><c>tcp</c> or <c>udp</c>, whichever the version of IP.</summary>
    public required string Protocol { get; init; }

    /// <summary>Address inside the sandbox, <c>0.0.0.0</c> and <c>::</c> for all.</summary>
    public required string Address { get; init; }

    /// <summary>Port.</summary>
    public required int Port { get; init; }

    /// <summary>A process that holds the socket; absent when none could be found.</summary>
    public int? Pid { get; init; }

    /// <summary>Its name as the kernel knows it.</summary>
    public string? Process { get; init; }

    /// <summary>User id that made the socket.</summary>
    public uint? Uid { get; init; }
}
