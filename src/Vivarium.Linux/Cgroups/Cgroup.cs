using System.Globalization;
using System.Runtime.InteropServices;
using Vivarium.Linux.Files;
using Vivarium.Linux.Processes;

namespace Vivarium.Linux.Cgroups;

/// <summary>
/// One control group: in V2 a directory, in V1 and hybrid layouts the directories of one name in the hierarchies of cpu, cpuacct, memory, pids
/// and freezer. Sources: cgroups(7), the kernel's documents cgroup-v1 and cgroup-v2.
/// </summary>
public sealed partial class Cgroup
{
    private static readonly string[] V1Controllers = ["cpu", "cpuacct", "memory", "pids", "freezer"];
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(5);

    private readonly CgroupLayout layout;
    private readonly ICgroupFiles files;

    /// <summary>Names a group; nothing is made yet.</summary>
    /// <param name="layout">See <see cref="CgroupLayout.Detect"/>.</param>
    /// <param name="path">Absolute below the hierarchy's root, for example <c>/vivarium/abc</c>.</param>
    public Cgroup(CgroupLayout layout, string path)
    {
        this.layout = layout;
        Path = "/" + path.Trim('/');
        var isV2 = layout.Version == CgroupVersion.V2;
        files = isV2 ? new CgroupV2Files(layout.UnifiedRoot! + Path) : new CgroupV1Files(controller => layout.V1Root(controller) is { } root ? root + Path : null);
        Directories = isV2
            ? [layout.UnifiedRoot! + Path]
            : [.. V1Controllers.Select(c => layout.V1Root(c)).OfType<string>().Distinct().Select(root => root + Path)];
    }

    /// <summary>Below the root of the hierarchies.</summary>
    public string Path { get; }

    /// <summary>Its directories: what <see cref="SpawnOptions.CgroupDirectories"/> takes.</summary>
    public IReadOnlyList<string> Directories { get; }

    /// <summary>Whether any of its directories is there.</summary>
    public bool Exists => Directories.Any(Directory.Exists);

    /// <summary>A group below this one.</summary>
    public Cgroup Child(string name) => new(layout, $"{Path}/{name}");

    /// <summary>Makes it, and what is above it, unless it is there; then sets the limits.</summary>
    public void Create(CgroupLimits? limits = null)
    {
        if (layout.Version == CgroupVersion.V2)
        {
            CgroupV2Files.EnableControllersAbove(layout.UnifiedRoot!, Path);
        }

        foreach (var directory in Directories)
        {
            Directory.CreateDirectory(directory);
        }

        if (limits is not null)
        {
            SetLimits(limits);
        }
    }

    /// <summary>Sets limits; those in use above a new limit are made to fit, or killed.</summary>
    /// <exception cref="LinuxException">ENOENT: this machine has no such controller.</exception>
    public void SetLimits(CgroupLimits limits) => files.SetLimits(limits);

    /// <summary>Moves a process in, all its threads with it.</summary>
    public void Add(int pid)
    {
        foreach (var directory in Directories)
        {
            PseudoFile.Write(directory + "/cgroup.procs", pid.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>What it uses now; all null when it does not exist.</summary>
    public CgroupUsage Usage() => files.Usage();

    /// <summary>Processes in it and below.</summary>
    public IReadOnlyCollection<int> Processes()
    {
        HashSet<int> pids = [];
        foreach (var directory in Directories)
        {
            Collect(directory, pids);
        }

        return pids;
    }

    /// <summary>Stops every process in it and below from running, also new ones; returns when all stand still.</summary>
    /// <exception cref="TimeoutException">Not within the deadline; it has been thawed again.</exception>
    public async Task FreezeAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        files.RequestFreeze(true);
        try
        {
            await UntilAsync(() => files.IsFrozen(true), $"freeze cgroup {Path}", deadline, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            files.RequestFreeze(false);
            throw;
        }
    }

    /// <summary>Lets them run on.</summary>
    public async Task ThawAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        files.RequestFreeze(false);
        await UntilAsync(() => files.IsFrozen(false), $"thaw cgroup {Path}", deadline, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Kills every process in it and below, however fast they fork; returns when none is left.</summary>
    public Task KillAsync(TimeSpan deadline, CancellationToken cancellationToken) => UntilAsync(
        () =>
        {
            var pids = Processes();
            if (pids.Count > 0)
            {
                files.Kill(pids);
            }

            return pids.Count == 0;
        },
        $"kill the processes of cgroup {Path}",
        deadline,
        cancellationToken);

    /// <summary>Kills what is in it and removes it with all groups below; no error when it is not there.</summary>
    public async Task RemoveAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        await KillAsync(deadline, cancellationToken).ConfigureAwait(false);
        // A process that has just died may hold its group for a moment longer.
        await UntilAsync(() => Directories.All(TryRemove), $"remove cgroup {Path}", deadline, cancellationToken).ConfigureAwait(false);
    }

    private static void Collect(string directory, HashSet<int> pids)
    {
        var text = PseudoFile.TryRead(directory + "/cgroup.procs");
        if (text is null)
        {
            return;
        }

        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            pids.Add(int.Parse(line, CultureInfo.InvariantCulture));
        }

        foreach (var child in ChildrenOf(directory))
        {
            Collect(child, pids);
        }
    }

    private static bool TryRemove(string directory)
    {
        foreach (var child in ChildrenOf(directory))
        {
            if (!TryRemove(child))
            {
                return false;
            }
        }

        if (RmDir(directory) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() switch
        {
            Errno.ENOENT => true,
            Errno.EBUSY or Errno.ENOTEMPTY => false,
            var error => throw new LinuxException("remove cgroup", directory, error),
        };
    }

    private static string[] ChildrenOf(string directory)
    {
        try
        {
            return Directory.GetDirectories(directory);
        }
        catch (IOException)
        {
            return []; // it has gone meanwhile
        }
    }

    private static async Task UntilAsync(Func<bool> done, string operation, TimeSpan deadline, CancellationToken cancellationToken)
    {
        var begin = TimeProvider.System.GetTimestamp();
        while (!done())
        {
            if (TimeProvider.System.GetElapsedTime(begin) > deadline)
            {
                throw new TimeoutException($"{operation}: not done within {deadline.TotalSeconds:0.#} s");
            }

            await Task.Delay(PollInterval, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
    }

    [LibraryImport("libc", EntryPoint = "rmdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RmDir(string path);
}
