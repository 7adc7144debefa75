namespace Vivarium.Runtimes.Ledger;

/// <summary>What kinds of things a sandbox makes on the host. The names are on disk: never change one.</summary>
public static class LedgerKind
{
    /// <summary>A process: pid, start time and boot id. Value <c>pid start_ticks boot_id</c>.</summary>
    public const string Process = "process";

    /// <summary>A cgroup in every hierarchy: its path below the controllers' roots. Releasing kills what is in it.</summary>
    public const string Cgroup = "cgroup";

    /// <summary>A mount: its absolute mount point.</summary>
    public const string Mount = "mount";

    /// <summary>A bind-mounted network namespace: its absolute path.</summary>
    public const string NetworkNamespace = "netns";

    /// <summary>A directory tree: absolute path.</summary>
    public const string Directory = "directory";

    /// <summary>A container in an engine's own state directory: the absolute path of that state directory.</summary>
    public const string Container = "container";

    /// <summary>A network interface of the host: its name. With it goes its other end.</summary>
    public const string Link = "link";
}
