using Vivarium.Linux.Mounts;

namespace Vivarium.Linux.Cgroups;

/// <summary>How control groups are mounted here. Source: cgroups(7).</summary>
public enum CgroupVersion
{
    /// <summary>None are.</summary>
    None,

    /// <summary>One hierarchy per controller.</summary>
    V1,

    /// <summary>Controllers as in V1, beside them a unified hierarchy without any.</summary>
    Hybrid,

    /// <summary>One unified hierarchy.</summary>
    V2,
}

/// <summary>Where each controller's hierarchy is.</summary>
public sealed class CgroupLayout
{
    private static readonly string[] Controllers = ["cpu", "cpuacct", "cpuset", "memory", "pids", "freezer", "blkio", "devices"];

    private readonly Dictionary<string, string> v1;

    private CgroupLayout(CgroupVersion version, Dictionary<string, string> v1, string? unified)
    {
        Version = version;
        this.v1 = v1;
        UnifiedRoot = unified;
    }

    /// <summary>Which kind.</summary>
    public CgroupVersion Version { get; }

    /// <summary>Mount point of the unified hierarchy, where there is one.</summary>
    public string? UnifiedRoot { get; }

    /// <summary>Looks at the mounts of this process.</summary>
    public static CgroupLayout Detect() => From(MountTable.Read());

    /// <summary>Mount point of a controller's own hierarchy; null in V2 and where it is not mounted.</summary>
    public string? V1Root(string controller) => v1.GetValueOrDefault(controller);

    internal static CgroupLayout From(IReadOnlyList<MountEntry> mounts)
    {
        Dictionary<string, string> v1 = [];
        string? unified = null;
        foreach (var mount in mounts)
        {
            if (mount.FileSystem == "cgroup2")
            {
                unified = mount.MountPoint;
            }
            else if (mount.FileSystem == "cgroup")
            {
                foreach (var controller in mount.SuperOptions.Split(',').Intersect(Controllers))
                {
                    v1[controller] = mount.MountPoint;
                }
            }
        }

        var version = (v1.Count, unified) switch
        {
            (0, null) => CgroupVersion.None,
            (0, _) => CgroupVersion.V2,
            (_, null) => CgroupVersion.V1,
            _ => CgroupVersion.Hybrid,
        };
        return new CgroupLayout(version, v1, unified);
    }
}
