using Vivarium.Transport;

namespace Vivarium.Guest.Ports;

/// <summary>
/// What one guest port does with a connection. Throwing ends the connection and nothing else; a handler answers errors of the request in its own
/// protocol. The stream is disposed by the dispatcher when the handler returns: a handler that ended well calls
/// <see cref="DuplexStream.CompleteWritesAsync"/> first.
/// </summary>
internal interface IPortHandler
{
    /// <summary>The port, see <see cref="Wire.Guest.GuestPort"/>.</summary>
    int Port { get; }

    /// <summary>Whether connections are accepted before the host has said <c>hello</c> with the right token.</summary>
    bool OpenBeforeHello => false;

    /// <summary>Most connections at a time; beyond it new ones are refused.</summary>
    int MaxConnections => 1024;

    /// <summary>Serves one connection to its end.</summary>
    /// <param name="stream">The connection, without the port bytes.</param>
    /// <param name="cancellationToken">Cancelled when the connection to the host ends.</param>
    Task ServeAsync(DuplexStream stream, CancellationToken cancellationToken);
}
