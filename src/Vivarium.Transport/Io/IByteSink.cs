namespace Vivarium.Transport.Io;

/// <summary>Where a session's bytes go. One writer at a time.</summary>
internal interface IByteSink : IDisposable
{
    /// <summary>
    /// Writes both parts, the second right behind the first, in as few system calls as the descriptor allows. When it is
    /// cancelled after some bytes have gone out, the sink keeps a copy of the rest and sends it before anything else, so
    /// that the peer never sees half a frame; the caller may reuse its memory as soon as the task has ended either way.
    /// </summary>
    ValueTask WriteAsync(ReadOnlyMemory<byte> first, ReadOnlyMemory<byte> second, CancellationToken cancellationToken);
}
