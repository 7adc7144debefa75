using Vivarium.Volumes.Selection;
using Vivarium.Wire.Errors;

namespace Vivarium.Storage.Tests.Volumes;

public sealed class StoreSelectionTests
{
    private static readonly PoolFacts Plain = new() { IsRoot = true };

    [Fact]
    public void Auto_takes_what_the_machine_offers_and_says_why()
    {
        AssertChoice(StoreKind.BtrfsFile, "loop device", "auto", Plain);
        AssertChoice(StoreKind.BtrfsNative, "lies on a btrfs", "auto", Plain with { OnBtrfs = true });
        AssertChoice(StoreKind.LocalDisk, "only root", "auto", Plain with { IsRoot = false });
        AssertChoice(StoreKind.LocalDisk, "only root", "auto", Plain with { IsRoot = false, OnBtrfs = true });
        AssertChoice(StoreKind.LocalDisk, "mkfs.btrfs is not there", "auto", Plain with { MissingForPool = "mkfs.btrfs is not there" });
    }

    [Fact]
    public void A_pool_with_data_is_never_left_for_another()
    {
        AssertChoice(StoreKind.BtrfsFile, "one already", "auto", Plain with { HasImage = true, OnBtrfs = true });
        AssertChoice(StoreKind.LocalDisk, "already", "auto", Plain with { HasPlainVolumes = true });
        AssertRefused(ErrorCode.FailedPrecondition, "local-disk", Plain with { HasImage = true });
    }

    [Fact]
    public void What_is_configured_is_honoured_or_refused()
    {
        AssertChoice(StoreKind.LocalDisk, "configured", "local-disk", Plain with { OnBtrfs = true });
        AssertChoice(StoreKind.BtrfsFile, "configured", "btrfs", Plain);
        AssertChoice(StoreKind.BtrfsNative, "configured", "btrfs", Plain with { OnBtrfs = true });
        AssertRefused(ErrorCode.PermissionDenied, "btrfs", Plain with { IsRoot = false });
        AssertRefused(ErrorCode.FailedPrecondition, "btrfs", Plain with { MissingForPool = "no loop devices" });
        AssertRefused(ErrorCode.Unimplemented, "zfs", Plain);
        AssertRefused(ErrorCode.InvalidArgument, "zip", Plain);
    }

    private static void AssertChoice(StoreKind kind, string reason, string store, PoolFacts facts)
    {
        var choice = StoreSelection.Choose(new PoolOptions { StateDirectory = "/nowhere", Store = store }, facts);
        Assert.Equal(kind, choice.Kind);
        Assert.Contains(reason, choice.Reason, StringComparison.Ordinal);
    }

    private static void AssertRefused(ErrorCode code, string store, PoolFacts facts) =>
        Assert.Equal(code, Assert.Throws<VivariumException>(() => StoreSelection.Choose(new PoolOptions { StateDirectory = "/nowhere", Store = store }, facts)).Code);
}
