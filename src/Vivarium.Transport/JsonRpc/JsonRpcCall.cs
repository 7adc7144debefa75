namespace Vivarium.Transport.JsonRpc;

/// <summary>What a handler knows about the request it serves.</summary>
/// <param name="Connection">Where it came from; handlers send notifications here.</param>
/// <param name="Method">Method name.</param>
/// <param name="Id">The request's id as JSON text; null for a notification.</param>
public sealed record JsonRpcCall(JsonRpcConnection Connection, string Method, string? Id);
