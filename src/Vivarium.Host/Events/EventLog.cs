using Vivarium.Host.Sandboxes;
using Vivarium.Host.State;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Events;

/// <summary>What happened: a ring in memory for subscribers, the same number of rows in the database for the next daemon.</summary>
public sealed class EventLog
{
    /// <summary>Events remembered.</summary>
    public const int Remembered = 4096;

    private readonly Lock gate = new();
    private readonly EventTable table;
    private readonly TimeProvider time;
    private readonly Queue<HostEvent> ring;
    private readonly List<Action<HostEvent>> subscribers = [];
    private long next;
    private long reserved;

    /// <summary>Goes on where the last daemon stopped.</summary>
    public EventLog(StateDatabase database, TimeProvider time)
    {
        this.time = time;
        table = new EventTable(database);
        var (events, first) = table.Load(Remembered);
        ring = new Queue<HostEvent>(events);
        next = Math.Max(first, events.Count == 0 ? 1 : events[^1].Sequence + 1);
        reserved = next;
        ReserveAhead();
    }

    /// <summary>Records an event about a sandbox.</summary>
    public void Publish(string type, SandboxRecord about, string? reason = null, string? message = null, SnapshotInfo? snapshot = null) =>
        Publish(type, about.Id.Value, about.Name, reason, message, snapshot);

    /// <summary>Records an event and tells the subscribers, in order.</summary>
    public void Publish(string type, string? sandboxId = null, string? sandboxName = null, string? reason = null, string? message = null, SnapshotInfo? snapshot = null)
    {
        lock (gate)
        {
            var e = new HostEvent
            {
                Sequence = next++,
                UnixMs = time.GetUtcNow().ToUnixTimeMilliseconds(),
                Type = type,
                SandboxId = sandboxId,
                SandboxName = sandboxName,
                Reason = reason,
                Message = message,
                Snapshot = snapshot,
            };
            ReserveAhead();
            table.Append(e, Remembered);
            ring.Enqueue(e);
            if (ring.Count > Remembered)
            {
                ring.Dequeue();
            }

            // Under the lock, so that every subscriber hears them in order; they only put it into their own queue.
            foreach (var subscriber in subscribers)
            {
                subscriber(e);
            }
        }
    }

    /// <summary>
    /// Sends what is remembered after <paramref name="after"/> (nothing when null) and then everything new, without a gap, until disposed. The subscriber is
    /// called under the log's lock and must only enqueue.
    /// </summary>
    public IDisposable Subscribe(long? after, Action<HostEvent> subscriber)
    {
        lock (gate)
        {
            foreach (var e in ring)
            {
                if (after is not null && e.Sequence > after)
                {
                    subscriber(e);
                }
            }

            subscribers.Add(subscriber);
        }

        return new Subscription(this, subscriber);
    }

    /// <summary>What is remembered after a sequence number.</summary>
    public IReadOnlyList<HostEvent> After(long sequence)
    {
        lock (gate)
        {
            return [.. ring.Where(e => e.Sequence > sequence)];
        }
    }

    /// <summary>At a clean stop the unused rest of the reserved numbers is given back.</summary>
    public void Close()
    {
        lock (gate)
        {
            table.Reserve(next);
        }
    }

    private void ReserveAhead()
    {
        if (reserved - next < EventTable.Block / 2)
        {
            reserved = next + EventTable.Block;
            table.Reserve(reserved);
        }
    }

    private sealed class Subscription(EventLog log, Action<HostEvent> subscriber) : IDisposable
    {
        public void Dispose()
        {
            lock (log.gate)
            {
                log.subscribers.Remove(subscriber);
            }
        }
    }
}
