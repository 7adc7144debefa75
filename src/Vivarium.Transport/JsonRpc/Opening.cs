using System.Text.Json;
using Vivarium.Transport.Lines;
using Vivarium.Wire.Errors;

namespace Vivarium.Transport.JsonRpc;

/// <summary>What a peer's first line announces.</summary>
public enum OpeningKind
{
    /// <summary>The peer closed without a word.</summary>
    Closed,

    /// <summary>A JSON-RPC 2.0 message, or something only JSON-RPC's error answers can be given for.</summary>
    JsonRpc,

    /// <summary>An object with <c>method</c> but without <c>jsonrpc</c>: one request, one answer, the end (the Masterblaster form).</summary>
    OneShot,

    /// <summary>An object with <c>connect</c>: the connection becomes a raw stream.</summary>
    Connect,
}

/// <summary>
/// Looks at the first line of a connection without consuming it, so that whichever protocol it is can be started on the
/// same <see cref="LineStream"/> with nothing lost.
/// </summary>
public static class Opening
{
    /// <summary>Waits for the first line and tells what it is.</summary>
    /// <param name="stream">The fresh connection.</param>
    /// <param name="maxBytes">Longest first line looked at; a longer one is left to JSON-RPC, which refuses it.</param>
    /// <param name="cancellationToken">Carries the deadline: a silent peer must not wait for ever.</param>
    public static async ValueTask<OpeningKind> ReadAsync(LineStream stream, int maxBytes, CancellationToken cancellationToken)
    {
        try
        {
            return await stream.PeekLineAsync(maxBytes, cancellationToken).ConfigureAwait(false) is { } line ? Classify(line.Span) : OpeningKind.Closed;
        }
        catch (VivariumException e) when (e.Code == ErrorCode.ResourceExhausted)
        {
            return OpeningKind.JsonRpc;
        }
    }

    private static OpeningKind Classify(ReadOnlySpan<byte> line)
    {
        try
        {
            using var document = JsonRpcMessages.Parse(line);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || root.TryGetProperty("jsonrpc"u8, out _))
                return OpeningKind.JsonRpc;
            return root.TryGetProperty("connect"u8, out _) ? OpeningKind.Connect
                : root.TryGetProperty("method"u8, out _) ? OpeningKind.OneShot
                : OpeningKind.JsonRpc;
        }
        catch (JsonException)
        {
            return OpeningKind.JsonRpc;
        }
    }
}
