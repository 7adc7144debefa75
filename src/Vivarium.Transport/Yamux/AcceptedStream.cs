namespace Vivarium.Transport.Yamux;

/// <summary>A stream the peer opened.</summary>
/// <param name="Port">The port it asked for: the first two bytes it sent, big-endian.</param>
/// <param name="Stream">The bytes behind those two. Disposing it unread refuses the port.</param>
public readonly record struct AcceptedStream(int Port, DuplexStream Stream);
