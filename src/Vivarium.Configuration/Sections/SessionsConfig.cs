using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Sections;

/// <summary><c>[sessions]</c>: the session service on the HTTP listener.</summary>
public sealed record SessionsConfig
{
    /// <summary>Whether it is served.</summary>
    public bool Enabled { get; init; }

    /// <summary>File that holds the bearer token; empty: none is asked for, and only loopback addresses are served.</summary>
    public string TokenFile { get; init; } = "";

    /// <summary>Largest message either way.</summary>
    public ByteSize MaxMessage { get; init; } = ByteSize.FromMiB(16);
}
