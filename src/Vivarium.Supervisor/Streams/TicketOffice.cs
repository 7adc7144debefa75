using Vivarium.Linux.IO;
using Vivarium.Wire.Errors;

namespace Vivarium.Supervisor.Streams;

/// <summary>One-time tickets: each opens one connection to one guest port within its time. Kept in memory only.</summary>
internal sealed class TicketOffice(TimeProvider clock)
{
    /// <summary>Life of a ticket nobody named a time for.</summary>
    public static readonly TimeSpan DefaultLife = TimeSpan.FromSeconds(30);

    private const int MaxTickets = 4096;
    private static readonly TimeSpan MaxLife = TimeSpan.FromMinutes(10);

    private readonly Lock gate = new();
    private readonly Dictionary<string, (int Port, long Expires)> tickets = [];

    /// <summary>A new ticket for a guest port.</summary>
    /// <exception cref="VivariumException">resource_exhausted: too many unused ones.</exception>
    public string Issue(int port, TimeSpan life)
    {
        if (life <= TimeSpan.Zero || life > MaxLife)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"cannot issue a ticket for {life.TotalMilliseconds:0} ms: allowed are 1 ms to {MaxLife.TotalMilliseconds:0} ms");
        }

        if (port is < 1 or > 65535)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"cannot issue a ticket for guest port {port}: ports are 1 to 65535");
        }

        var ticket = KernelRandom.Hex(32);
        var now = clock.GetTimestamp();
        lock (gate)
        {
            if (tickets.Count >= MaxTickets)
            {
                Prune(now);
            }

            if (tickets.Count >= MaxTickets)
            {
                throw new VivariumException(ErrorCode.ResourceExhausted, $"cannot issue a ticket: {MaxTickets} unused ones are out", "use them or let them expire");
            }

            tickets.Add(ticket, (port, now + (long)(life.TotalSeconds * clock.TimestampFrequency)));
        }

        return ticket;
    }

    /// <summary>Uses a ticket up. A wrong, used, expired or other port's ticket is refused the same way; one shown at the wrong port is used up as well.</summary>
    public bool TryUse(string? ticket, int port)
    {
        if (ticket is null)
        {
            return false;
        }

        lock (gate)
        {
            return tickets.Remove(ticket, out var known) && known.Port == port && clock.GetTimestamp() < known.Expires;
        }
    }

    private void Prune(long now)
    {
        foreach (var ticket in tickets.Where(entry => entry.Value.Expires <= now).Select(static entry => entry.Key).ToArray())
        {
            tickets.Remove(ticket);
        }
    }
}
