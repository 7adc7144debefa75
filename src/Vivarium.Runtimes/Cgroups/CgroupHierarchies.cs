namespace Vivarium.Runtimes.Cgroups;

/// <summary>The cgroup hierarchies mounted on this machine. Sources: cgroups(7); Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.</summary>
/// <param name="V1">Mount point of each version 1 hierarchy by controller name (<c>memory</c>, <c>cpu</c>, …; <c>name=systemd</c> for named ones).</param>
/// <param name="V2">Mount point of the version 2 hierarchy, or null.</param>
public sealed record CgroupHierarchies(IReadOnlyDictionary<string, string> V1, string? V2)
{
    private static readonly Lazy<CgroupHierarchies> Mounted = new(static () => Parse(File.ReadLines("/proc/self/mounts")));

    /// <summary>Of this machine.</summary>
    public static CgroupHierarchies Current => Mounted.Value;

    /// <summary><c>v2</c>, <c>v1</c>, <c>hybrid</c> or <c>none</c>, as people call the layout.</summary>
    public string Layout => (V1.Count, V2) switch
    {
        (0, null) => "none",
        (0, _) => "v2",
        (_, null) => "v1",
        _ => "hybrid",
    };

    /// <summary>Whether both versions are mounted, with the controllers in version 1.</summary>
    public bool Hybrid => V1.Count > 0 && V2 is not null;

    /// <summary>Whether controllers are used by version 2.</summary>
    public bool Unified => V1.Count == 0 && V2 is not null;

    /// <summary>Whether swap is accounted for, so that a limit on it can be set.</summary>
    public bool AccountsSwap =>
        V1.TryGetValue("memory", out var memory) ? File.Exists(memory + "/memory.memsw.limit_in_bytes") : V2 is not null && File.Exists("/proc/swaps");

    /// <summary>Every distinct hierarchy's root; where the memory controller is comes last, because what is charged there is asked for last.</summary>
    public IReadOnlyList<string> Roots => [.. V1.Values.Distinct(), .. V2 is null ? [] : new[] { V2 }];

    /// <summary>Directory of a cgroup in the hierarchy that has a controller; null where none has.</summary>
    public string? Directory(string controller, string path) =>
        V1.TryGetValue(controller, out var root) ? root + path : Unified ? V2 + path : null;

    internal static CgroupHierarchies Parse(IEnumerable<string> mounts)
    {
        Dictionary<string, string> v1 = [];
        string? v2 = null;
        foreach (var line in mounts)
        {
            var fields = line.Split(' ');
            if (fields.Length < 4)
            {
                continue;
            }

            if (fields[2] == "cgroup2")
            {
                v2 ??= fields[1];
            }
            else if (fields[2] == "cgroup")
            {
                foreach (var option in fields[3].Split(','))
                {
                    if (option is not ("rw" or "ro" or "relatime" or "noatime" or "nosuid" or "nodev" or "noexec" or "xattr" or "clone_children") && !option.Contains('/', StringComparison.Ordinal))
                    {
                        v1.TryAdd(option, fields[1]);
                    }
                }
            }
        }

        return new CgroupHierarchies(v1, v2);
    }
}
