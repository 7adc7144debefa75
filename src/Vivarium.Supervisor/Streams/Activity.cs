using Vivarium.Transport;

namespace Vivarium.Supervisor.Streams;

/// <summary>When something last went through this sandbox, for the idle timer, and how many streams are open.</summary>
internal sealed class Activity(TimeProvider clock)
{
    private long last = clock.GetUtcNow().ToUnixTimeMilliseconds();
    private readonly IdleTrim trim = new();
    private int streams;

    /// <summary>Milliseconds since the Unix epoch.</summary>
    public long LastUnixMs => Volatile.Read(ref last);

    /// <summary>Streams open now.</summary>
    public int OpenStreams => Volatile.Read(ref streams);

    /// <summary>Something happened.</summary>
    public void Touch() => Volatile.Write(ref last, clock.GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>A stream was opened.</summary>
    public void StreamOpened()
    {
        Interlocked.Increment(ref streams);
        Touch();
    }

    /// <summary>A stream was closed.</summary>
    public void StreamClosed()
    {
        Interlocked.Decrement(ref streams);
        Touch();
        trim.Worked();
    }
}
