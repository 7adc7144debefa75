using Vivarium.Host.Naming;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Sandboxes;

/// <summary>All sandboxes by id, name and external id. Adding is the moment a name is taken.</summary>
internal sealed class SandboxCatalog
{
    private readonly Lock gate = new();
    private readonly Dictionary<SandboxId, Sandbox> byId = [];
    private readonly Dictionary<string, Sandbox> byName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Sandbox> byExternalId = new(StringComparer.Ordinal);
    private readonly HashSet<int> heldSlots = [];

    /// <summary>Adds a sandbox; the maker is called with the name and the number of its id range, under the lock.</summary>
    /// <param name="name">Name asked for.</param>
    /// <param name="externalId">The caller's own id.</param>
    /// <param name="limit">Most sandboxes there may be.</param>
    /// <param name="make">Makes it.</param>
    /// <param name="warm">What was made ahead for it: its name is taken when none is asked for and it is free, its held range of ids in any case.</param>
    /// <exception cref="VivariumException"><c>already_exists</c>, or <c>resource_exhausted</c> above <paramref name="limit"/>.</exception>
    public Sandbox Add(string? name, string? externalId, int limit, Func<string, int, Sandbox> make, SandboxRecord? warm = null)
    {
        lock (gate)
        {
            if (byId.Count >= limit)
            {
                throw new VivariumException(
                    ErrorCode.ResourceExhausted,
                    $"creating a sandbox: there are {byId.Count} already, the most allowed",
                    "Remove some (viv rm, viv prune) or raise limits.max_sandboxes.",
                    "max_sandboxes");
            }

            if (name is not null && byName.ContainsKey(name))
            {
                throw new VivariumException(
                    ErrorCode.AlreadyExists, $"creating a sandbox: the name '{name}' is taken", $"Choose another, or remove that one with: viv rm {name}", "name_taken");
            }

            if (externalId is not null && (byExternalId.ContainsKey(externalId) || (SandboxId.TryParse(externalId, out var alike) && byId.ContainsKey(alike))))
            {
                throw new VivariumException(ErrorCode.AlreadyExists, $"creating a sandbox: the external id '{externalId}' is taken", "Use that sandbox, or remove it first.", "external_id_taken");
            }

            var proposed = warm is not null && !byName.ContainsKey(warm.Name) ? warm.Name : NameGenerator.Next(byName.ContainsKey);
            var sandbox = make(name ?? proposed, warm?.IdSlot ?? FreeSlot());
            Index(sandbox);
            heldSlots.Remove(warm?.IdSlot ?? -1);
            return sandbox;
        }
    }

    /// <summary>A name nobody has now.</summary>
    public string SuggestName()
    {
        lock (gate)
        {
            return NameGenerator.Next(byName.ContainsKey);
        }
    }

    /// <summary>Sets a range of ids aside for a sandbox that is not listed yet.</summary>
    public int HoldSlot()
    {
        lock (gate)
        {
            var slot = FreeSlot();
            heldSlots.Add(slot);
            return slot;
        }
    }

    /// <summary>Sets aside the range of ids of a sandbox the last daemon made ahead.</summary>
    public void HoldSlot(int slot)
    {
        lock (gate)
        {
            heldSlots.Add(slot);
        }
    }

    /// <summary>Frees a range set aside; one that a listed sandbox has taken over is not touched.</summary>
    public void ReleaseSlot(int? slot)
    {
        lock (gate)
        {
            heldSlots.Remove(slot ?? -1);
        }
    }

    /// <summary>Adds a sandbox read from the database.</summary>
    public void Restore(Sandbox sandbox)
    {
        lock (gate)
        {
            Index(sandbox);
        }
    }

    /// <summary>Forgets a sandbox: from now on its names are free.</summary>
    public void Remove(Sandbox sandbox)
    {
        var record = sandbox.Record;
        lock (gate)
        {
            // Removed twice (a destroy that is tried again), its names may be somebody else's already.
            if (!byId.Remove(record.Id))
            {
                return;
            }

            byName.Remove(record.Name);
            if (record.ExternalId is not null)
            {
                byExternalId.Remove(record.ExternalId);
            }
        }
    }

    /// <summary>All, oldest first.</summary>
    public IReadOnlyList<Sandbox> All()
    {
        lock (gate)
        {
            return [.. byId.Values.OrderBy(static s => s.Record.CreatedUnixMs).ThenBy(static s => s.Record.Id.Value, StringComparer.Ordinal)];
        }
    }

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                return byId.Count;
            }
        }
    }

    /// <summary>Whether the id belongs to a sandbox.</summary>
    public bool Contains(string id)
    {
        lock (gate)
        {
            return SandboxId.TryParse(id, out var parsed) && byId.ContainsKey(parsed);
        }
    }

    /// <summary>A sandbox by its whole id or its external id; null when there is none.</summary>
    public Sandbox? FindExact(string id)
    {
        lock (gate)
        {
            return (SandboxId.TryParse(id, out var parsed) ? byId.GetValueOrDefault(parsed) : null) ?? byExternalId.GetValueOrDefault(id);
        }
    }

    /// <summary>
    /// A sandbox by id, name or external id, else by a prefix of id or name that fits only one. Null when nothing fits.
    /// </summary>
    /// <exception cref="VivariumException"><c>invalid_argument</c>, reason <c>ambiguous_reference</c>, naming the candidates.</exception>
    public Sandbox? Find(string reference)
    {
        if (reference.Length is 0 or > 128)
        {
            throw new VivariumException(
                ErrorCode.InvalidArgument, $"the reference {NameRules.Quote(reference)} is no name or id", "Give a name, an id or an unambiguous prefix.", "bad_reference");
        }

        lock (gate)
        {
            if (SandboxId.TryParse(reference, out var id) && byId.TryGetValue(id, out var exact))
            {
                return exact;
            }

            if (byName.TryGetValue(reference, out exact) || byExternalId.TryGetValue(reference, out exact))
            {
                return exact;
            }

            List<Sandbox> fitting = [.. byId.Values.Where(s => Fits(s.Record, reference))];
            return fitting.Count switch
            {
                0 => null,
                1 => fitting[0],
                _ => throw Ambiguous(reference, fitting),
            };
        }
    }

    /// <summary>As <see cref="Find"/>, with <c>not_found</c> when nothing fits.</summary>
    public Sandbox Get(string reference) => Find(reference) ?? throw new VivariumException(
        ErrorCode.NotFound, $"there is no sandbox {NameRules.Quote(reference)}", "viv ls shows those that exist.", "no_such_sandbox");

    private static bool Fits(SandboxRecord record, string prefix) =>
        record.Name.StartsWith(prefix, StringComparison.Ordinal) || record.Id.Value.StartsWith(prefix, StringComparison.Ordinal);

    private static VivariumException Ambiguous(string reference, List<Sandbox> fitting)
    {
        var names = fitting.Select(static s => s.Record).OrderBy(static r => r.Name, StringComparer.Ordinal).Take(10).Select(static r => $"{r.Name} ({r.Id})");
        var more = fitting.Count > 10 ? $" and {fitting.Count - 10} more" : string.Empty;
        return new VivariumException(
            ErrorCode.InvalidArgument,
            $"the reference {NameRules.Quote(reference)} fits {fitting.Count} sandboxes: {string.Join(", ", names)}{more}",
            "Give more characters.",
            "ambiguous_reference");
    }

    private void Index(Sandbox sandbox)
    {
        var record = sandbox.Record;
        byId.Add(record.Id, sandbox);
        byName.Add(record.Name, sandbox);
        if (record.ExternalId is not null)
        {
            byExternalId.Add(record.ExternalId, sandbox);
        }
    }

    private int FreeSlot()
    {
        var used = byId.Values.Select(static s => s.Record.IdSlot).OfType<int>().ToHashSet();
        var slot = 0;
        while (used.Contains(slot) || heldSlots.Contains(slot))
        {
            slot++;
        }

        return slot;
    }
}
