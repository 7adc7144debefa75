namespace Vivarium.Transport.Yamux;

/// <summary>Bounds of a session. The defaults serve both ends of a guest connection.</summary>
public sealed record YamuxOptions
{
    /// <summary>Window every stream starts with; fixed by the yamux specification.</summary>
    public const int InitialWindow = 256 * 1024;

    /// <summary>Largest window a stream may grow to while its reader keeps up, in bytes.</summary>
    public int MaxWindow { get; init; } = 4 * 1024 * 1024;

    /// <summary>Sum of what all windows may grow beyond <see cref="InitialWindow"/>, in bytes; bounds the memory of a session with many fast streams.</summary>
    public int MaxWindowGrowth { get; init; } = 64 * 1024 * 1024;

    /// <summary>Largest data frame we send, in bytes.</summary>
    public int MaxFrame { get; init; } = 256 * 1024;

    /// <summary>Streams open at a time, both directions together. Beyond it our opens fail with resource_exhausted and the peer's are reset.</summary>
    public int MaxStreams { get; init; } = 4096;

    /// <summary>Whether the peer may open streams. Null: the server accepts, the client does not.</summary>
    public bool? AcceptStreams { get; init; }

    /// <summary>Bytes of small frames that may wait for a peer that does not read, before the session is ended.</summary>
    public int MaxBacklog { get; init; } = 1024 * 1024;

    /// <summary>For the client: the peer was brought back with its memory and believes in an earlier connection; for the server: that is what it has just been told.</summary>
    public bool Restarts { get; init; }
}
