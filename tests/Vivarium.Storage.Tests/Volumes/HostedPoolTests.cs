using Vivarium.Linux.Trees;
using Vivarium.Volumes;
using Vivarium.Volumes.Selection;
using Vivarium.Wire.Errors;

namespace Vivarium.Storage.Tests.Volumes;

/// <summary>Pools whose directory lies on something special: btrfs itself, or a disk smaller than the pool promises.</summary>
public sealed class HostedPoolTests : IAsyncLifetime
{
    private readonly string directory = Directory.CreateTempSubdirectory("viv-hosted-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await Shell.RunAsync($"umount {directory}/disk/state/pool 2>/dev/null || true; umount {directory}/disk; rm -rf --one-file-system {directory}");

    [Fact]
    public async Task A_state_directory_on_btrfs_needs_no_pool_file()
    {
        await MountBtrfs();
        var opened = await Open("auto");
        Assert.Equal((StoreKind.BtrfsNative, "btrfs"), (opened.Choice.Kind, opened.Store.Name));
        await using var store = opened.Store;
        var path = await store.CreateAsync(VolumeKind.Template, "t", Token);
        await File.WriteAllBytesAsync(path + "/a", new byte[100_000], Token);
        await store.CommitAsync(VolumeKind.Template, "t", "t", Token);
        await store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token);
        Assert.InRange((await store.UsageAsync(VolumeKind.Sandbox, "s", Token)).ReferencedBytes, 100_000, 110_000);
        await store.DeleteAsync(VolumeKind.Sandbox, "s", Token);
        await store.DeleteAsync(VolumeKind.Template, "t", Token);
        await store.UnmountAsync(Token);
        Assert.True(Directory.Exists(directory + "/disk/state/pool/templates"));
        Assert.Equal(ErrorCode.Unimplemented, (await Assert.ThrowsAsync<VivariumException>(() => store.GrowAsync(1L << 40, Token))).Code);
    }

    [Fact]
    public async Task Plain_copies_share_data_where_the_file_system_can()
    {
        await MountBtrfs();
        await Shell.RunAsync($"cd {directory}/disk && mkdir from to && head -c 3000000 /dev/urandom > from/big");
        var result = await TreeCopy.RunAsync($"{directory}/disk/from", $"{directory}/disk/to", 2, Token);
        Assert.Equal((1, 1), (result.Files, result.Shared));
        await Shell.RunAsync($"cmp {directory}/disk/from/big {directory}/disk/to/big");
        var opened = await Open("local-disk");
        await using var store = opened.Store;
        var error = await Assert.ThrowsAsync<VivariumException>(() => store.CloneAsync(VolumeKind.Sandbox, "s", VolumeKind.Snapshot, "p", Token));
        Assert.Equal((ErrorCode.FailedPrecondition, "snapshots_not_available"), (error.Code, error.Reason));
        await Assert.ThrowsAsync<VivariumException>(() => store.SetQuotaAsync(VolumeKind.Sandbox, "s", 1, Token));
    }

    [Fact]
    public async Task A_pool_promises_no_more_than_the_disk_under_it_has()
    {
        Directory.CreateDirectory(directory + "/disk");
        await Shell.RunAsync($"mount -t tmpfs -o size=500m viv-test {directory}/disk");
        var opened = await Open("btrfs");
        await using var store = opened.Store;
        var space = await store.SpaceAsync(Token);
        Assert.InRange(space.FreeBytes, 100L << 20, 250L << 20);
        Assert.Equal(PoolState.Healthy, (await store.HealthAsync(Token)).State);
        await Shell.RunAsync($"head -c 250M /dev/zero > {directory}/disk/of-somebody-else");
        Assert.Equal(PoolState.Critical, (await store.HealthAsync(Token)).State);
        var error = await Assert.ThrowsAsync<VivariumException>(() => store.CreateAsync(VolumeKind.Template, "t", Token));
        Assert.Equal("pool_full", error.Reason);
        File.Delete($"{directory}/disk/of-somebody-else");
        await store.CreateAsync(VolumeKind.Template, "t", Token);
        await store.UnmountAsync(Token);
    }

    [Fact]
    public async Task When_the_disk_under_a_pool_is_full_others_go_on_and_so_does_all_when_there_is_room()
    {
        await Shell.RunAsync($"cd {directory} && mkdir disk && truncate -s 1500M image && mkfs.ext4 -q -m 0 -O ^has_journal image && mount -o loop image disk");
        var opened = await VolumeStores.OpenAsync(new PoolOptions { StateDirectory = directory + "/disk/state", Store = "btrfs", SizeBytes = 8L << 30 }, Token);
        await using var store = opened.Store;
        await store.CreateAsync(VolumeKind.Template, "making", Token);
        await store.CommitAsync(VolumeKind.Template, "making", "t", Token);
        await store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "greedy", Token);
        await store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "other", Token);
        var other = store.PathOf(VolumeKind.Sandbox, "other");
        await Shell.RunAsync($"echo kept > {other}/before; sync -f {other}");

        // Somebody else takes nearly all of it, a sandbox the rest: it hears of it, the pool is full and says so, and a neighbour's small file is written.
        await Shell.RunAsync($"fallocate -l $(($(df -B1 --output=avail {directory}/disk | tail -1) - 8000000)) {directory}/disk/of-somebody-else; dd if=/dev/zero of={store.PathOf(VolumeKind.Sandbox, "greedy")}/fill bs=1M count=300 conv=fsync 2>/dev/null && exit 1; true");
        Assert.Equal(PoolState.Critical, (await store.HealthAsync(Token)).State);
        Assert.Equal("pool_full", (await Assert.ThrowsAsync<VivariumException>(() => store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "late", Token))).Reason);
        await Shell.RunAsync($"echo small | dd of={other}/meanwhile conv=fsync 2>/dev/null");

        // Without help: there is room again, and everything is as before.
        File.Delete($"{directory}/disk/of-somebody-else");
        await store.DeleteAsync(VolumeKind.Sandbox, "greedy", Token);
        await StoreFixture.WithinAsync(() => store.HealthAsync(Token).Result.State == PoolState.Healthy, "the pool is healthy again");
        await store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "late", Token);
        Assert.Equal("kept\n10485760\n", await Shell.RunAsync($"dd if=/dev/urandom of={other}/big bs=1M count=10 conv=fsync 2>/dev/null && cat {other}/before && stat -c %s {other}/big"));
        await store.UnmountAsync(Token);
    }

    private Task<VolumeStores.Opened> Open(string store) => VolumeStores.OpenAsync(
        new PoolOptions { StateDirectory = directory + "/disk/state", Store = store, SizeBytes = 2L << 30 }, Token);

    private Task<string> MountBtrfs() =>
        Shell.RunAsync($"cd {directory} && truncate -s 1G image && mkfs.btrfs -q image >/dev/null 2>&1 && mkdir disk && mount -o loop image disk");
}
