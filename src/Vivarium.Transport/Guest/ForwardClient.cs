using Vivarium.Transport.JsonRpc;
using Vivarium.Transport.Lines;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Guest;

/// <summary>The caller's side of the forward port.</summary>
public static class ForwardClient
{
    private const int MaxReplyBytes = 16 * 1024;

    /// <summary>Asks the guest to connect to one of its own addresses; the stream (owned from now on) then carries the raw bytes.</summary>
    /// <exception cref="VivariumException">What the guest answered: unavailable when nobody listens there.</exception>
    public static async Task<DuplexStream> ConnectAsync(DuplexStream stream, ForwardRequest request, CancellationToken cancellationToken)
    {
        var lines = stream as LineStream ?? new LineStream(stream);
        try
        {
            await lines.WriteJsonLineAsync(request, GuestJson.Default.ForwardRequest, cancellationToken).ConfigureAwait(false);
            var reply = await lines.ReadJsonLineAsync(JsonTypes.Tolerant(GuestJson.Default.FileReply), MaxReplyBytes, cancellationToken).ConfigureAwait(false);
            return reply.Error is { } error ? throw VivariumException.From(error) : lines;
        }
        catch
        {
            await lines.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }
}
