using Vivarium.Wire.Errors;

namespace Vivarium.Volumes.Selection;

/// <summary>Kinds of stores.</summary>
public enum StoreKind
{
    /// <summary>btrfs on which the pool directory lies.</summary>
    BtrfsNative,

    /// <summary>btrfs in a file on a loop device.</summary>
    BtrfsFile,

    /// <summary>Plain directories.</summary>
    LocalDisk,
}

/// <summary>The store chosen, and why, one sentence for doctor and health.</summary>
public sealed record StoreChoice(StoreKind Kind, string Reason);

/// <summary>Chooses a store. Data decides first: a pool that holds volumes is never left for another.</summary>
public static class StoreSelection
{
    /// <summary>Chooses by configuration and by what this machine is.</summary>
    /// <exception cref="VivariumException">The configured store cannot be used here.</exception>
    public static StoreChoice Choose(PoolOptions options) => Choose(options, PoolFacts.Gather(options.Directory));

    /// <summary>Chooses by given facts.</summary>
    internal static StoreChoice Choose(PoolOptions options, PoolFacts facts) => options.Store switch
    {
        "auto" => Auto(facts),
        "btrfs" => Btrfs(facts),
        "local-disk" => LocalDisk(facts),
        "zfs" => throw new VivariumException(
            ErrorCode.Unimplemented, "[pool] store = \"zfs\": the zfs store is not built yet", "use \"auto\", \"btrfs\" or \"local-disk\"", "zfs_not_built"),
        _ => throw new VivariumException(
            ErrorCode.InvalidArgument, $"[pool] store = \"{options.Store}\" is not a volume store", "use \"auto\", \"btrfs\" or \"local-disk\""),
    };

    private static StoreChoice Auto(PoolFacts facts) => facts switch
    {
        { HasImage: true, IsRoot: true } => new(StoreKind.BtrfsFile, "btrfs in a pool file: there is one already"),
        { OnBtrfs: true, IsRoot: true } => new(StoreKind.BtrfsNative, "btrfs: the pool directory lies on a btrfs file system"),
        { HasPlainVolumes: true } => new(StoreKind.LocalDisk, "local-disk: the pool directory holds volumes of this store already"),
        { IsRoot: false } => new(StoreKind.LocalDisk, "local-disk: only root can make a btrfs pool; snapshots are not available"),
        { MissingForPool: { } missing } => new(StoreKind.LocalDisk, $"local-disk: a btrfs pool cannot be made here ({missing}); snapshots are not available"),
        _ => new(StoreKind.BtrfsFile, "btrfs in a pool file on a loop device: the pool directory does not lie on btrfs"),
    };

    private static StoreChoice Btrfs(PoolFacts facts) => facts switch
    {
        { IsRoot: false } => throw new VivariumException(
            ErrorCode.PermissionDenied, "[pool] store = \"btrfs\" needs root", "run the daemon as root, or use \"local-disk\""),
        { HasImage: true } => new(StoreKind.BtrfsFile, "btrfs in a pool file: there is one already"),
        { OnBtrfs: true } => new(StoreKind.BtrfsNative, "btrfs: configured, and the pool directory lies on btrfs"),
        { MissingForPool: { } missing } => throw new VivariumException(
            ErrorCode.FailedPrecondition, $"[pool] store = \"btrfs\": a pool file cannot be made here: {missing}", "install btrfs-progs, or use \"local-disk\""),
        _ => new(StoreKind.BtrfsFile, "btrfs in a pool file on a loop device: configured"),
    };

    private static StoreChoice LocalDisk(PoolFacts facts) => facts.HasImage
        ? throw new VivariumException(
            ErrorCode.FailedPrecondition,
            "[pool] store = \"local-disk\": there is a btrfs pool file with volumes beside the pool directory",
            "use \"auto\" or \"btrfs\", or move the pool file away")
        : new(StoreKind.LocalDisk, "local-disk: configured");
}
