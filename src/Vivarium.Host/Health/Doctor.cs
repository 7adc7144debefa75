using Vivarium.Host.Access;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.State;
using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Cgroups;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Health;

/// <summary>Looks, read-only, at what sandboxes need on this machine: pass, warn or fail per feature, each with what to do.</summary>
internal sealed class Doctor(HostServices host, StateDatabase database)
{
    private const string Pass = "pass", Warn = "warn", Fail = "fail";

    private static readonly string[] WantedFileSystems = ["overlay", "tmpfs", "btrfs"];

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>All checks; one that breaks is a failed check, not a failed call.</summary>
    public async Task<DoctorReply> RunAsync(CancellationToken cancellationToken)
    {
        var checks = new List<DoctorCheck> { Kernel(), Cgroups(), FileSystems(), Group(), Clock() };
        checks.AddRange(Tools());
        checks.AddRange(DoctorMachine.Checks(host.Paths));
        checks.Add(DoctorMachine.Supervisors(host.Catalog));
        checks.AddRange(await GuardAsync("engines", EnginesAsync, cancellationToken).ConfigureAwait(false));
        checks.AddRange(await GuardAsync("user_namespaces", UserNamespacesAsync, cancellationToken).ConfigureAwait(false));
        checks.AddRange(await GuardAsync("pool", PoolAsync, cancellationToken).ConfigureAwait(false));
        checks.AddRange(await GuardAsync("templates", TemplatesAsync, cancellationToken).ConfigureAwait(false));
        checks.AddRange(await GuardAsync("database", DatabaseAsync, cancellationToken).ConfigureAwait(false));
        checks.AddRange(await GuardAsync("network", NetworkAsync, cancellationToken).ConfigureAwait(false));
        checks.Add(Disk("state_disk", host.Paths.State));
        checks.Add(Disk("runtime_disk", host.Paths.Runtime));
        checks.AddRange(host.Health.Snapshot().Conditions.Select(static c => Check("health." + c.Name, c.Severity == HealthConditions.Unhealthy ? Fail : Warn, c.Message)));
        return new DoctorReply { Checks = checks };
    }

    private static DoctorCheck Check(string name, string status, string message, string? hint = null) => new() { Name = name, Status = status, Message = message, Hint = hint };

    private static DoctorCheck Kernel()
    {
        var release = File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
        var version = Version.TryParse(release.Split('-')[0], out var parsed) ? parsed : new Version(0, 0);
        return version >= new Version(5, 12)
            ? Check("kernel", Pass, $"Linux {release}")
            : Check("kernel", Warn, $"Linux {release} is old", "Use 5.12 or newer: id-mapped mounts, openat2 and pidfds are needed for all features.");
    }

    private static DoctorCheck Cgroups()
    {
        var found = CgroupHierarchies.Current;
        var memory = found.Directory("memory", "/");
        return memory is null
            ? Check("cgroups", Fail, $"cgroup layout {found.Layout}: no memory controller", "Enable it (cgroup_enable=memory) or mount the hierarchy.")
            : Check("cgroups", Pass, $"cgroup layout {found.Layout}; limits of memory, CPU and processes can be enforced");
    }

    private static DoctorCheck FileSystems()
    {
        var known = File.ReadAllLines("/proc/filesystems").Select(static l => l.Split('\t')[^1]).ToHashSet(StringComparer.Ordinal);
        string[] missing = [.. WantedFileSystems.Where(f => !known.Contains(f))];
        return missing.Length == 0
            ? Check("file_systems", Pass, "btrfs, overlay and tmpfs are there")
            : Check("file_systems", Warn, $"not (yet) known to the kernel: {string.Join(", ", missing)}", "They may be modules that load on first use: modprobe " + string.Join(' ', missing));
    }

    private static DoctorCheck Clock()
    {
        var now = TimeProvider.System.GetUtcNow();
        return now.Year >= 2025 ? Check("time", Pass, $"{now:yyyy-MM-dd HH:mm:ss} UTC") : Check("time", Warn, $"the clock says {now:yyyy-MM-dd}", "Set the clock: timeouts and certificates depend on it.");
    }

    private static IEnumerable<DoctorCheck> Tools()
    {
        foreach (var (tool, why, package) in new[]
        {
            ("mmdebstrap", "builds the base template", "mmdebstrap"),
            ("mkfs.btrfs", "makes the pool", "btrfs-progs"),
            ("busybox", "builds the tiny template", "busybox-static"),
            ("nft", "enforces the rules of sandboxes' networks", "nftables"),
        })
        {
            var path = SpawnOptions.DefaultPath.Split(':').Select(d => Path.Combine(d, tool)).FirstOrDefault(File.Exists);
            yield return path is null
                ? Check("tool." + tool, Warn, $"{tool} is missing; it {why}", $"apt-get install {package}")
                : Check("tool." + tool, Pass, $"{path} {why}");
        }
    }

    private static DoctorCheck Disk(string name, string path)
    {
        var drive = new DriveInfo(path);
        var text = $"{drive.AvailableFreeSpace / (1 << 20)} MiB free of {drive.TotalSize / (1 << 20)} MiB for {path}";
        return drive.AvailableFreeSpace < drive.TotalSize / 20 ? Check(name, Warn, text, "Free some space.") : Check(name, Pass, text);
    }

    private async Task<IReadOnlyList<DoctorCheck>> GuardAsync(string name, Func<CancellationToken, Task<IReadOnlyList<DoctorCheck>>> look, CancellationToken cancellationToken)
    {
        using var deadline = new Timers.Deadline(host.Time, Patience, cancellationToken);
        try
        {
            return await look(deadline.Token).WaitAsync(deadline.Token).ConfigureAwait(false);
        }
        catch (VivariumException e)
        {
            return [Check(name, Fail, e.Message, e.Hint)];
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return [Check(name, Warn, $"looking took longer than {Patience.TotalSeconds:0} s", "Try again; the daemon may still be preparing it.")];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [Check(name, Fail, e.Message)];
        }
    }

    private DoctorCheck Group()
    {
        var name = host.Config.Daemon.SocketGroup;
        return name.Length == 0 ? Check("socket_group", Pass, "only root may use the socket")
            : SocketGroup.Find(name) is { } id ? Check("socket_group", Pass, $"members of {name} ({id}) may use the socket")
            : Check("socket_group", Warn, $"the group {name} does not exist: only root may use the socket", $"groupadd {name}, add users to it, restart the daemon.");
    }

    private async Task<IReadOnlyList<DoctorCheck>> DatabaseAsync(CancellationToken cancellationToken)
    {
        var wrong = await Task.Run(database.Check, cancellationToken).ConfigureAwait(false);
        var path = host.Paths.Database;
        var copy = StateBackup.Newest(path) is { } newest ? $"; an earlier copy is {newest}" : string.Empty;
        return
        [
            wrong is null
                ? Check("database", Pass, $"{path} is whole ({new FileInfo(path).Length >> 10} KiB){copy}")
                : Check("database", Fail, $"{path} is damaged: {wrong}{copy}", "Stop the daemon, copy the database away, and restore a copy or let 'sqlite3 vivarium.db .recover' save what can be saved."),
        ];
    }

    private async Task<IReadOnlyList<DoctorCheck>> EnginesAsync(CancellationToken cancellationToken)
    {
        var engines = await host.Engines.ListAsync(cancellationToken).ConfigureAwait(false);
        var anyWorks = engines.Any(static e => e.Works);
        return
        [
            .. engines.Select(e => Check(
                "engine." + e.Engine,
                e.Works ? Pass : anyWorks ? Warn : Fail,
                $"{e.Engine} {e.Version} for {e.Runtime}{(e.Default ? " (default)" : string.Empty)}: {e.Detail}",
                e.Works ? null : "Another engine may do: runc, crun and runsc are Debian packages.")),
        ];
    }

    /// <summary>What every new container sandbox is asked, on this machine's engine and pool.</summary>
    private async Task<IReadOnlyList<DoctorCheck>> UserNamespacesAsync(CancellationToken cancellationToken)
    {
        const string name = "user_namespaces", without = "without one, root in a container has root's ids on the host";
        var wish = host.Config.Runtime.UserNamespaces;
        if (wish == "off")
        {
            return [Check(name, Warn, $"turned off; {without}", "runtime.user_namespaces = \"auto\" gives each container sandbox a range of host ids of its own.")];
        }

        const string limit = "/proc/sys/user/max_user_namespaces";
        if (!long.TryParse(Linux.Files.PseudoFile.TryRead(limit), System.Globalization.CultureInfo.InvariantCulture, out var allowed) || allowed == 0)
        {
            return [Check(name, wish == "on" ? Fail : Warn, $"the kernel allows no user namespaces; {without}", "sysctl user.max_user_namespaces=15000")];
        }

        var engine = await host.Engines.ChooseAsync("container", cancellationToken).ConfigureAwait(false);
        var store = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        var pool = Path.GetDirectoryName(store.PathOf(VolumeKind.Sandbox, "x"))!;
        var refusal = !engine.UserNamespaces ? $"{engine.Engine}: {engine.UserNamespaceRefusal}"
            : Linux.Mounts.IdMappedMount.Refusal(pool) is { } mapping ? $"the pool: {mapping}"
            : null;
        return
        [
            refusal is not null
                ? Check(name, wish == "on" ? Fail : Warn, $"sandboxes cannot have one: {refusal}; {without}", "Kernel 5.12 or newer, runc 1.1 and a pool on btrfs, ext4 or xfs can.")
                : IdOwners.Overlapping(IdRanges.First, IdRanges.End) is { } owner
                    ? Check(name, Warn, $"the host ids of sandboxes ({IdRanges.First} to {IdRanges.End - 1}) are also {owner}", "Give that user other subordinate ids: a sandbox must not share ids with anybody.")
                    : Check(name, Pass, $"each container sandbox has a range of host ids of its own ({IdRanges.First} to {IdRanges.End - 1})"),
        ];
    }

    private async Task<IReadOnlyList<DoctorCheck>> TemplatesAsync(CancellationToken cancellationToken)
    {
        var list = await host.Templates.ListAsync(cancellationToken).ConfigureAwait(false);
        string[] built = [.. list.Templates.Where(static t => t.Digest.Length > 0).Select(static t => t.Name ?? t.Digest)];
        var wanted = host.Config.Defaults.Template;
        return
        [
            built.Contains(wanted)
                ? Check("templates", Pass, $"built: {string.Join(", ", built)}")
                : Check("templates", Warn, $"the default template {wanted} is not built yet: the first sandbox waits for it", $"viv template build {wanted}"),
        ];
    }

    private Task<IReadOnlyList<DoctorCheck>> NetworkAsync(CancellationToken cancellationToken)
    {
        var network = host.Networks.Network;
        var options = host.Networks.Options;
        var pools = options.Pool6 is null ? $"{options.Pool4}" : $"{options.Pool4} and {options.Pool6}";
        var checks = new List<DoctorCheck>
        {
            network.Conflict() is { } conflict
                ? Check("network.pool", Warn, $"the pool {pools} is in use on this machine: {conflict}; sandboxes with --net nat are refused", "Give network.pool4 and pool6 ranges nothing else here uses.")
                : Check("network.pool", Pass, $"{network.Pool.Held} of {network.Pool.Size} addresses of {pools} are held"),
            network.Servers == "none"
                ? Check("network.dns", Warn, "no name server is known: sandboxes cannot resolve names of the world outside", "Name one in /etc/resolv.conf or network.dns.")
                : Check("network.dns", Pass, $"sandboxes' names are asked of {network.Servers}"),
        };
        if (network.IsPrepared)
        {
            checks.Add(options.Pool6 is null || network.ForwardsV6
                ? Check("network.bridge", Pass, $"bridge {options.Bridge} and tables {options.Table} are there")
                : Check(
                    "network.bridge", Warn, $"bridge {options.Bridge} is there; IPv6 packets of sandboxes cannot leave this host",
                    "It needs an IPv6 default route and Linux 6.17, or net.ipv6.conf.all.forwarding=1 set by you; or set network.pool6 = \"\"."));
        }

        return Task.FromResult<IReadOnlyList<DoctorCheck>>(checks);
    }

    private async Task<IReadOnlyList<DoctorCheck>> PoolAsync(CancellationToken cancellationToken)
    {
        var store = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        var health = await host.Pool.CheckAsync(store, cancellationToken).ConfigureAwait(false);
        return
        [
            Check(
                "pool",
                health.State switch { PoolState.Healthy => Pass, PoolState.Degraded => Warn, _ => Fail },
                $"{store.Name}: {health.Message}",
                health.State == PoolState.Healthy ? null : "Remove sandboxes or templates, or make the pool larger."),
            store.Capabilities.Snapshots
                ? Check("snapshots", Pass, $"{store.Name} can snapshot")
                : Check("snapshots", Warn, $"{store.Name} cannot snapshot; every sandbox is a full copy", "Use a btrfs pool: pool.store = \"btrfs\"."),
        ];
    }
}
