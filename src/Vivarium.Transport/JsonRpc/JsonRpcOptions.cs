using Vivarium.Wire.Errors;

namespace Vivarium.Transport.JsonRpc;

/// <summary>Bounds of a JSON-RPC connection.</summary>
public sealed record JsonRpcOptions
{
    /// <summary>Longest message accepted, in bytes.</summary>
    public int MaxMessageBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Requests of the peer being worked on at a time; one more is refused with resource_exhausted.</summary>
    public int MaxConcurrentRequests { get; init; } = 1024;

    /// <summary>Bytes that may wait to be read by the peer before its next request is left unread and <see cref="JsonRpcConnection.TryNotify"/> refuses.</summary>
    public int MaxBacklogBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>After the peer has ended its side: how long its running requests may go on before they are cancelled. It may only have half-closed.</summary>
    public TimeSpan LingerAfterEnd { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Turns an exception of a handler into the error sent; the place to log. Null: <see cref="VivariumException"/> as it is, anything else as <c>internal</c>.</summary>
    public Func<JsonRpcCall, Exception, ErrorInfo>? MapError { get; init; }

    /// <summary>Hears of every request a handler has worked on: how long it took, and its error if it ended in one. Must be quick and not throw.</summary>
    public Action<JsonRpcCall, TimeSpan, ErrorInfo?>? Served { get; init; }

    /// <summary>Clock of <see cref="LingerAfterEnd"/> and <see cref="Served"/>.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
