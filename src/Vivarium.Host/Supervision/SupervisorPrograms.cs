using Vivarium.Configuration;
using Vivarium.Host.Access;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Supervision;

/// <summary>Where our own programs are and how supervisors are set apart from the daemon.</summary>
public sealed class SupervisorPrograms
{
    private readonly uint? group;

    private SupervisorPrograms(string supervisor, string guestAgent, IReadOnlyList<string> cgroups, uint? group)
    {
        Supervisor = supervisor;
        GuestAgent = guestAgent;
        SupervisorCgroups = cgroups;
        this.group = group;
    }

    /// <summary>viv-supervisor, absolute.</summary>
    public string Supervisor { get; }

    /// <summary>viv-guest, absolute.</summary>
    public string GuestAgent { get; }

    /// <summary>
    /// Cgroup directories that supervisors join when they are born where the daemon is part of a unit, so that stopping the unit stops no sandbox. One for all of
    /// them; what a sandbox uses is accounted in its own.
    /// </summary>
    public IReadOnlyList<string> SupervisorCgroups { get; }

    /// <summary>Finds the programs (configured, beside the daemon, or one directory up) and makes the supervisors' cgroups.</summary>
    /// <exception cref="VivariumException"><c>failed_precondition</c> when a program is missing.</exception>
    public static SupervisorPrograms Prepare(VivariumConfig config)
    {
        var group = SocketGroup.Find(config.Daemon.SocketGroup);
        return new SupervisorPrograms(
            Find("viv-supervisor", config.Runtime.Supervisor),
            Find("viv-guest", config.Runtime.GuestAgent),
            MakeCgroups(config.Runtime.CgroupRoot.TrimEnd('/') + "/supervisors"),
            group);
    }

    /// <summary>A runtime directory of a sandbox: root's, readable by the socket group.</summary>
    public void MakeDirectory(string path)
    {
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        SocketGroup.Hand(path, group, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, UnixFileMode.GroupRead | UnixFileMode.GroupExecute);
    }

    private static string Find(string name, string configured)
    {
        var here = AppContext.BaseDirectory;
        string[] places = configured.Length > 0 ? [configured] : [Path.Combine(here, name), Path.GetFullPath(Path.Combine(here, "..", name))];
        return places.FirstOrDefault(File.Exists) ?? throw new VivariumException(
            ErrorCode.FailedPrecondition,
            $"starting the daemon: the program {name} is missing (looked for {string.Join(", ", places)})",
            "Build or install Vivarium completely, or name the program in the configuration ([runtime]).",
            "program_missing");
    }

    private static List<string> MakeCgroups(string path)
    {
        var made = new List<string>();
        foreach (var root in UnitRoots())
        {
            try
            {
                var directory = root + path;
                Directory.CreateDirectory(directory);
                Inherit(directory, "cpuset.cpus");
                Inherit(directory, "cpuset.mems");
                made.Add(directory);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A hierarchy we may not write to: the supervisor stays in the daemon's cgroup there.
            }
        }

        return made;
    }

    /// <summary>
    /// The hierarchies in which this daemon lives in a service or login session, which may be stopped as a whole. Elsewhere nobody stops by cgroup, and joining
    /// another one would cost every create a grace period of the kernel's (5 to 9 ms, measured).
    /// </summary>
    private static IEnumerable<string> UnitRoots()
    {
        var hierarchies = CgroupHierarchies.Current;
        foreach (var line in File.ReadLines("/proc/self/cgroup"))
        {
            // 4:memory:/system.slice/vivd.service, or 0::/user.slice/user-0.slice/session-1.scope
            var fields = line.Split(':', 3);
            if (fields.Length != 3 || !fields[2].Split('/').Any(static part => part.EndsWith(".service", StringComparison.Ordinal) || part.EndsWith(".scope", StringComparison.Ordinal)))
            {
                continue;
            }

            var root = fields[1].Length == 0 ? hierarchies.V2 : fields[1].Split(',').Select(c => hierarchies.V1.GetValueOrDefault(c)).FirstOrDefault(static r => r is not null);
            if (root is not null)
            {
                yield return root;
            }
        }
    }

    private static void Inherit(string directory, string file)
    {
        // cpuset of cgroup v1 starts empty, and nothing can join an empty one.
        var own = Path.Combine(directory, file);
        var above = Path.Combine(Path.GetDirectoryName(directory)!, file);
        if (!File.Exists(own) || File.ReadAllText(own).Trim().Length > 0 || !File.Exists(above))
        {
            return;
        }

        if (File.ReadAllText(above).Trim().Length == 0)
        {
            Inherit(Path.GetDirectoryName(directory)!, file);
        }

        using var stream = new FileStream(own, FileMode.Open, FileAccess.Write);
        stream.Write(System.Text.Encoding.ASCII.GetBytes(File.ReadAllText(above)));
    }
}
