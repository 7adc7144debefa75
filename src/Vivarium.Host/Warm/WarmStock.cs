using Vivarium.Host.Sandboxes;

namespace Vivarium.Host.Warm;

/// <summary>Which sandboxes are ready, which shapes were used when, and what is being made: memory only, every call answers at once.</summary>
internal sealed class WarmStock(TimeProvider time)
{
    /// <summary>Shapes remembered at most; the longest unused goes first.</summary>
    public const int MaxShapes = 32;

    private readonly Lock gate = new();
    private readonly Dictionary<WarmShape, long> shapes = [];
    private readonly List<WarmSandbox> ready = [];
    private readonly HashSet<string> ids = new(StringComparer.Ordinal);
    private long taken;

    /// <summary>Notes that a shape is used.</summary>
    public void Use(WarmShape shape)
    {
        lock (gate)
        {
            shapes[shape] = time.GetTimestamp();
            if (shapes.Count > MaxShapes)
            {
                shapes.Remove(shapes.MinBy(static s => s.Value).Key);
            }
        }
    }

    /// <summary>Forgets a shape: nothing of it can be made any more.</summary>
    public void Unuse(WarmShape shape)
    {
        lock (gate)
        {
            shapes.Remove(shape);
        }
    }

    /// <summary>A ready one that fits, the oldest first; it is the caller's from now on. Null when there is none.</summary>
    public WarmSandbox? TryTake(WarmShape shape, SandboxRecord wanted)
    {
        lock (gate)
        {
            var index = ready.FindIndex(w => w.Shape == shape && !w.Link.IsOver && (w.CanBeRenamed || (wanted.Name.Length == 0 && wanted.Hostname is null)));
            if (index < 0)
            {
                return null;
            }

            var found = ready[index];
            ready.RemoveAt(index);
            taken++;
            return found;
        }
    }

    /// <summary>Says that something with this id is about to be made, so that it is no orphan.</summary>
    public void Announce(string id)
    {
        lock (gate)
        {
            ids.Add(id);
        }
    }

    /// <summary>Says that it is somebody else's now, or gone.</summary>
    public void Forget(string id)
    {
        lock (gate)
        {
            ids.Remove(id);
        }
    }

    /// <summary>Whether an id is of something made ahead.</summary>
    public bool Contains(string id)
    {
        lock (gate)
        {
            return ids.Contains(id);
        }
    }

    /// <summary>Puts a ready one in.</summary>
    public void Add(WarmSandbox warm)
    {
        lock (gate)
        {
            ready.Add(warm);
        }
    }

    /// <summary>Takes out those that match, to be removed.</summary>
    public IReadOnlyList<WarmSandbox> Withdraw(Predicate<WarmSandbox> match)
    {
        lock (gate)
        {
            var found = ready.FindAll(match);
            ready.RemoveAll(found.Contains);
            return found;
        }
    }

    /// <summary>Shapes used within the time, the latest first, with how many of each are ready; older ones are forgotten.</summary>
    public IReadOnlyList<(WarmShape Shape, int Ready)> Shapes(TimeSpan keep)
    {
        lock (gate)
        {
            foreach (var old in shapes.Where(s => time.GetElapsedTime(s.Value) > keep).Select(static s => s.Key).ToArray())
            {
                shapes.Remove(old);
            }

            return [.. shapes.OrderByDescending(static s => s.Value).Select(s => (s.Key, ready.Count(w => w.Shape == s.Key)))];
        }
    }

    /// <summary>Creates served so far.</summary>
    public long Taken
    {
        get
        {
            lock (gate)
            {
                return taken;
            }
        }
    }

    /// <summary>How many are ready.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                return ready.Count;
            }
        }
    }

    /// <summary>How many of each shape there should be: the latest used get theirs first, until the most there may be is reached.</summary>
    public static IReadOnlyList<(WarmShape Shape, int Ready, int Wanted)> Plan(IReadOnlyList<(WarmShape Shape, int Ready)> shapes, int perShape, int max)
    {
        var left = max;
        var plan = new List<(WarmShape, int, int)>(shapes.Count);
        foreach (var (shape, ready) in shapes)
        {
            var wanted = Math.Min(perShape, left);
            left -= wanted;
            plan.Add((shape, ready, wanted));
        }

        return plan;
    }
}
