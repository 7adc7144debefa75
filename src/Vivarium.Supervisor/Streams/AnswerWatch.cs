using System.Text.Json;
using Vivarium.Wire.Guest;

namespace Vivarium.Supervisor.Streams;

/// <summary>Notices that the client of one stream waits for an answer which an agent that does not live will not give.</summary>
/// <param name="pulse">Tells a slow agent from a silent one.</param>
/// <param name="everyRequest">Whether each request of the stream has an answer (files), or the first only (a process, a forward): after it the stream may be quiet for as long as it likes.</param>
internal sealed class AnswerWatch(GuestPulse pulse, bool everyRequest)
{
    private const int Quiet = 0, Waiting = 1, Answering = 2, GivenUp = 3;

    private int state;
    private long askedAt;

    /// <summary>What to expect of a guest port; null where nothing can be said in the agent's stead: its answers are no lines of JSON.</summary>
    public static AnswerWatch? Of(int port, GuestPulse pulse) => port switch
    {
        GuestPort.Exec or GuestPort.Forward => new AnswerWatch(pulse, everyRequest: false),
        GuestPort.Files => new AnswerWatch(pulse, everyRequest: true),
        _ => null,
    };

    /// <summary>The answer in the agent's stead: an object with an <c>error</c>, as replies of all these ports are.</summary>
    public static byte[] ErrorLine() => [.. JsonSerializer.SerializeToUtf8Bytes(new ExecReply { Error = GuestPulse.Error().ToInfo() }, GuestJson.Default.ExecReply), (byte)'\n'];

    /// <summary>The client has sent something, and the guest took it.</summary>
    public void Asked()
    {
        Volatile.Write(ref askedAt, Environment.TickCount64);
        Interlocked.CompareExchange(ref state, Waiting, Quiet);
    }

    /// <summary>The guest sends something.</summary>
    /// <exception cref="IOException">Too late: the client has been told that it does not.</exception>
    public void Answered()
    {
        if (Volatile.Read(ref state) != Answering && Interlocked.Exchange(ref state, everyRequest ? Quiet : Answering) == GivenUp)
        {
            Volatile.Write(ref state, GivenUp);
            throw new IOException("the client has been told that the guest does not answer");
        }
    }

    /// <summary>Completes with true when the client has waited in vain and is to be told; with false when nothing is expected any more.</summary>
    public async Task<bool> IsSilentAsync(CancellationToken ended)
    {
        var step = GuestPulse.FirstAnswerTime;
        while (Volatile.Read(ref state) is var now && now != Answering)
        {
            await Task.Delay(step, ended).ConfigureAwait(false);
            if (Volatile.Read(ref state) == Waiting
                && Environment.TickCount64 - Volatile.Read(ref askedAt) >= step.TotalMilliseconds
                && !await pulse.BeatsAsync().ConfigureAwait(false)
                && Interlocked.CompareExchange(ref state, GivenUp, Waiting) == Waiting)
            {
                return true;
            }
        }

        return false;
    }
}
