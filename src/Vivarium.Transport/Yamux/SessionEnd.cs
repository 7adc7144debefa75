using Vivarium.Wire.Errors;

namespace Vivarium.Transport.Yamux;

/// <summary>Why a session ended.</summary>
/// <param name="Reason">Stable word: <c>closed</c> (by us), <c>peer_closed</c>, <c>peer_go_away</c>, <c>protocol_error</c>, <c>io_error</c>, <c>peer_stalled</c>, <see cref="Restarted"/>.</param>
/// <param name="Message">A sentence.</param>
/// <param name="Cause">The exception behind it, where there was one.</param>
public sealed record SessionEnd(string Reason, string Message, Exception? Cause = null)
{
    /// <summary>This side was saved with its memory and brought back over another connection, on which a new session may begin.</summary>
    public const string Restarted = "restarted";

    /// <summary>The exception streams of the session end with.</summary>
    public VivariumException ToException() =>
        new(ErrorCode.Unavailable, $"the connection to the other side has ended: {Message}", reason: Reason, inner: Cause);
}
