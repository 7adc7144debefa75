namespace Vivarium.Host.Timers;

/// <summary>
/// One timer for all moments somebody waits for: it sleeps until the earliest and does nothing in between. A key has at most one alarm; setting it
/// again moves it. The clock is the wall clock (sandboxes expire at a time of day), looked at again at least every hour in case it was stepped.
/// </summary>
public sealed class Alarms : IAsyncDisposable
{
    private static readonly TimeSpan LongestSleep = TimeSpan.FromHours(1);

    private readonly Lock gate = new();
    private readonly TimeProvider time;
    private readonly ITimer timer;
    private readonly Dictionary<string, Alarm> alarms = new(StringComparer.Ordinal);
    private readonly PriorityQueue<Alarm, DateTimeOffset> queue = new();
    private bool closed;

    /// <summary>An empty set.</summary>
    public Alarms(TimeProvider time)
    {
        this.time = time;
        timer = time.CreateTimer(_ => Ring(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Calls <paramref name="action"/> once at the moment, on the pool; a moment in the past is now. The action must not block.</summary>
    public void Set(string key, DateTimeOffset due, Action action)
    {
        lock (gate)
        {
            var alarm = new Alarm(key, due, action);
            alarms[key] = alarm;
            queue.Enqueue(alarm, due);
            Arm();
        }
    }

    /// <summary>Forgets an alarm; no error when there is none.</summary>
    public void Clear(string key)
    {
        lock (gate)
        {
            alarms.Remove(key);
            if (queue.Count > 64 && queue.Count > alarms.Count * 4)
            {
                // Moved and cleared alarms stay in the queue until due; far ones must not pile up.
                queue.Clear();
                queue.EnqueueRange(alarms.Values.Select(static a => (a, a.Due)));
            }
        }
    }

    /// <summary>Alarms set.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                return alarms.Count;
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        lock (gate)
        {
            closed = true;
            alarms.Clear();
            queue.Clear();
        }

        return timer.DisposeAsync();
    }

    private void Ring()
    {
        var due = new List<Alarm>();
        lock (gate)
        {
            var now = time.GetUtcNow();
            while (queue.TryPeek(out var alarm, out var when) && (when <= now || !IsCurrent(alarm)))
            {
                queue.Dequeue();
                if (IsCurrent(alarm))
                {
                    alarms.Remove(alarm.Key);
                    due.Add(alarm);
                }
            }

            Arm();
        }

        foreach (var alarm in due)
        {
            alarm.Action();
        }
    }

    private bool IsCurrent(Alarm alarm) => alarms.TryGetValue(alarm.Key, out var current) && ReferenceEquals(current, alarm);

    private void Arm()
    {
        if (closed || !queue.TryPeek(out _, out var when))
        {
            return;
        }

        var wait = when - time.GetUtcNow();
        timer.Change(wait < TimeSpan.Zero ? TimeSpan.Zero : wait > LongestSleep ? LongestSleep : wait, Timeout.InfiniteTimeSpan);
    }

    private sealed record Alarm(string Key, DateTimeOffset Due, Action Action);
}
