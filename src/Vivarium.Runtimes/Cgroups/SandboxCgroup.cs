using Vivarium.Linux.Processes;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Cgroups;

/// <summary>One sandbox's cgroup, in every hierarchy the machine has (version 1, hybrid or 2): making, limiting, freezing, measuring, emptying, removing.</summary>
public sealed class SandboxCgroup
{
    private static readonly TimeSpan KillPoll = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan KillWait = TimeSpan.FromMilliseconds(20);

    private readonly CgroupHierarchies hierarchies;
    private readonly string path;

    /// <summary>Names a cgroup; nothing is made.</summary>
    /// <param name="path">Path below each hierarchy's root, starting with a slash and longer than it.</param>
    public SandboxCgroup(string path)
        : this(path, CgroupHierarchies.Current)
    {
    }

    internal SandboxCgroup(string path, CgroupHierarchies hierarchies)
    {
        if (path.Length < 2 || path[0] != '/' || path.Split('/').Any(static part => part is "." or "..") || path.Contains("//", StringComparison.Ordinal) || path[^1] == '/')
        {
            throw new ArgumentException($"'{path}' is not a clean absolute cgroup path", nameof(path));
        }

        this.path = path;
        this.hierarchies = hierarchies;
    }

    /// <summary>Its directories that exist now.</summary>
    public IReadOnlyList<string> Directories => [.. hierarchies.Roots.Select(root => root + path).Where(Directory.Exists)];

    /// <summary>Makes it in every hierarchy and sets the limits; for engines that leave this to us.</summary>
    public void Create(ResourceSpec limits)
    {
        foreach (var root in hierarchies.Roots)
        {
            if (hierarchies.Unified)
            {
                Delegate(root);
            }

            Directory.CreateDirectory(root + path);
            CopyCpuset(root);
        }

        CgroupLimits.Apply(hierarchies, path, limits);
    }

    /// <summary>Changes the limits of a sandbox that runs; what the agent may use beyond them stays.</summary>
    /// <exception cref="Wire.Errors.VivariumException">The kernel refuses one; those before it are set.</exception>
    public void Limit(ResourceSpec limits)
    {
        var work = $"{path}/{WorkCgroup.Name}";
        var hasWork = hierarchies.V1.TryGetValue("memory", out var memory) && Directory.Exists(memory + work);
        if (hasWork)
        {
            CgroupLimits.ApplyWork(hierarchies, work, limits);
        }

        CgroupLimits.Apply(hierarchies, path, hasWork ? WorkCgroup.WithAgent(limits) : limits);
    }

    /// <summary>Memory in use that cannot be given back at once: without the cache of files. Null when it cannot be known.</summary>
    public long? MemoryInUse() => CgroupUsage.MemoryInUse(hierarchies, path);

    /// <summary>Processes in it and below, as this process sees them.</summary>
    public IReadOnlyList<int> Processes()
    {
        HashSet<int> pids = [];
        foreach (var root in hierarchies.Roots)
        {
            CgroupProcesses.Read(root + path, pids);
        }

        return [.. pids];
    }

    /// <summary>Stops every process in it where it stands. Returns when all stand, or fails at the deadline.</summary>
    public Task FreezeAsync(TimeSpan deadline, CancellationToken cancellationToken) => SetFrozenAsync(frozen: true, deadline, cancellationToken);

    /// <summary>Lets them go on.</summary>
    public Task ThawAsync(TimeSpan deadline, CancellationToken cancellationToken) => SetFrozenAsync(frozen: false, deadline, cancellationToken);

    /// <summary>Kills everything in it, frozen or not, and returns when it is empty; false when the deadline passes first.</summary>
    public async Task<bool> KillAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        HashSet<int> pids = [];
        var last = "";
        var waitedFor = 0;
        while (true)
        {
            Find(pids, ref last);
            if (pids.Count == 0)
            {
                return true;
            }

            if (hierarchies.V2 is { } v2 && File.Exists($"{v2}{path}/cgroup.kill"))
            {
                TryWrite($"{v2}{path}/cgroup.kill", "1");
            }

            foreach (var pid in pids)
            {
                Signals.Send(pid, Signals.SIGKILL);
            }

            Thaw(); // a frozen process of version 1 dies only once it is thawed
            if (TimeProvider.System.GetElapsedTime(started) > deadline)
            {
                return false;
            }

            // The oldest is the init, whose end is everybody's in its pid namespace.
            var oldest = pids.Min();
            if (oldest == waitedFor || !await Task.Run(() => ProcessEnd.Wait(oldest, KillWait), cancellationToken).ConfigureAwait(false))
            {
                await Task.Delay(KillPoll, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            }

            waitedFor = oldest;
        }
    }

    /// <summary>Removes it and the cgroups below from every hierarchy; false when something still holds it.</summary>
    public bool Remove()
    {
        var gone = true;
        foreach (var directory in Directories)
        {
            gone &= RemoveTree(directory);
        }

        return gone;
    }

    /// <summary>Usage now; members the kernel does not offer are absent.</summary>
    public SandboxUsage Usage() => CgroupUsage.Read(hierarchies, path);

    /// <summary>How often the out-of-memory killer struck in it, 0 when it cannot be known.</summary>
    public long OomKills() => CgroupUsage.OomKills(hierarchies, path);

    /// <summary>Starts watching for out-of-memory kills; null where the kernel cannot tell.</summary>
    public OomNotifier? WatchOom() => OomNotifier.Open(hierarchies, path);

    /// <summary>The processes in one hierarchy that has any: in the one where the last were found, for as long as it has some. None: no hierarchy has.</summary>
    private void Find(HashSet<int> pids, ref string root)
    {
        pids.Clear();
        if (root.Length > 0)
        {
            CgroupProcesses.Read(root + path, pids);
        }

        foreach (var other in pids.Count > 0 ? [] : hierarchies.Roots)
        {
            root = other;
            CgroupProcesses.Read(other + path, pids);
            if (pids.Count > 0)
            {
                return;
            }
        }
    }

    private static bool RemoveTree(string directory)
    {
        try
        {
            if (CgroupProcesses.HasChildren(directory))
            {
                foreach (var child in Directory.EnumerateDirectories(directory))
                {
                    RemoveTree(child);
                }
            }

            Directory.Delete(directory);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static bool TryWrite(string file, string value)
    {
        try
        {
            // A cgroup file takes one write(2); it must not be created where it is missing.
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            stream.Write(System.Text.Encoding.ASCII.GetBytes(value));
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private void Thaw()
    {
        if (FreezerFile() is var (file, _, thaw, _))
        {
            TryWrite(file, thaw);
        }
    }

    private async Task SetFrozenAsync(bool frozen, TimeSpan deadline, CancellationToken cancellationToken)
    {
        var (file, freeze, thaw, state) = FreezerFile() ?? throw new IOException("this kernel has no cgroup freezer");
        var started = TimeProvider.System.GetTimestamp();
        var wanted = file == state ? (frozen ? "FROZEN" : "THAWED") : (frozen ? "frozen 1" : "frozen 0");
        while (true)
        {
            // Version 1 gives up half-way when a process cannot be frozen at that instant, so the wish is repeated.
            TryWrite(file, frozen ? freeze : thaw);
            if (File.ReadAllText(state).Contains(wanted, StringComparison.Ordinal))
            {
                return;
            }

            if (TimeProvider.System.GetElapsedTime(started) > deadline)
            {
                if (frozen)
                {
                    Thaw();
                }

                throw new TimeoutException($"the processes of cgroup {path} did not {(frozen ? "freeze" : "thaw")} within {deadline.TotalSeconds:0.#} s");
            }

            await Task.Delay(KillPoll, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
    }

    private (string File, string Freeze, string Thaw, string State)? FreezerFile()
    {
        if (hierarchies.V1.TryGetValue("freezer", out var freezer))
        {
            var file = $"{freezer}{path}/freezer.state";
            return (file, "FROZEN", "THAWED", file);
        }

        return hierarchies.V2 is { } v2 ? ($"{v2}{path}/cgroup.freeze", "1", "0", $"{v2}{path}/cgroup.events") : null;
    }

    private void Delegate(string root)
    {
        // Version 2: a controller works in a cgroup only if every ancestor passes it on.
        var parent = root;
        foreach (var part in path[1..].Split('/'))
        {
            foreach (var controller in (string[])["cpu", "memory", "pids"])
            {
                TryWrite(parent + "/cgroup.subtree_control", "+" + controller);
            }

            parent += "/" + part;
            Directory.CreateDirectory(parent);
        }
    }

    private void CopyCpuset(string root)
    {
        // Version 1: a new cpuset is empty and takes no process until it is told its CPUs and memory nodes.
        if (!hierarchies.V1.TryGetValue("cpuset", out var cpuset) || cpuset != root)
        {
            return;
        }

        var directory = root;
        foreach (var part in path[1..].Split('/'))
        {
            foreach (var file in (string[])["cpuset.cpus", "cpuset.mems"])
            {
                var child = $"{directory}/{part}/{file}";
                if (string.IsNullOrWhiteSpace(File.ReadAllText(child)))
                {
                    TryWrite(child, File.ReadAllText($"{directory}/{file}").Trim());
                }
            }

            directory += "/" + part;
        }
    }
}
