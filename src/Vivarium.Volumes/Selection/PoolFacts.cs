using Vivarium.Linux.Mounts;
using Vivarium.Linux.Trees;
using Vivarium.Volumes.Btrfs;

namespace Vivarium.Volumes.Selection;

/// <summary>What this machine offers for a pool.</summary>
internal sealed record PoolFacts
{
    private const string BtrfsFormat = "btrfs";
    private static readonly string[] ProgramFolders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

    /// <summary>We are root.</summary>
    public bool IsRoot { get; init; }

    /// <summary>A pool file exists.</summary>
    public bool HasImage { get; init; }

    /// <summary>The pool directory, or where it would be made, lies on btrfs.</summary>
    public bool OnBtrfs { get; init; }

    /// <summary>The pool directory holds volumes as plain directories.</summary>
    public bool HasPlainVolumes { get; init; }

    /// <summary>What keeps us from making a pool file, null when nothing does.</summary>
    public string? MissingForPool { get; init; }

    internal static PoolFacts Gather(string poolDirectory)
    {
        var existing = poolDirectory;
        while (!Directory.Exists(existing))
        {
            existing = Path.GetDirectoryName(existing)!;
        }

        var onBtrfs = new DriveInfo(existing).DriveFormat == BtrfsFormat;
        return new PoolFacts
        {
            IsRoot = Environment.IsPrivilegedProcess,
            HasImage = File.Exists(PoolFile.ImageOf(poolDirectory)),
            OnBtrfs = onBtrfs,
            HasPlainVolumes = !onBtrfs && MountTable.Find(poolDirectory) is null && HasVolumes(poolDirectory),
            MissingForPool = Missing(),
        };
    }

    private static bool HasVolumes(string poolDirectory) =>
        Directory.Exists(poolDirectory)
        && Directory.EnumerateDirectories(poolDirectory).Any(folder => Directory.EnumerateDirectories(folder).Any());

    private static string? Missing()
    {
        if (!ProgramFolders.Any(folder => File.Exists($"{folder}/mkfs.btrfs")))
        {
            return "the program mkfs.btrfs of the package btrfs-progs is not installed";
        }

        if (EntryStatus.OfLink("/dev/loop-control") is null)
        {
            return "the kernel offers no loop devices (/dev/loop-control is missing)";
        }

        return KernelKnowsBtrfs() ? null : "the kernel does not know btrfs";
    }

    /// <summary>Compiled in or loaded; or there to be loaded, which mount(2) does by itself.</summary>
    private static bool KernelKnowsBtrfs()
    {
        if (File.ReadLines("/proc/filesystems").Any(line => line.EndsWith("\tbtrfs", StringComparison.Ordinal)))
        {
            return true;
        }

        var release = File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
        return Directory.Exists($"/lib/modules/{release}/kernel/fs/btrfs");
    }
}
