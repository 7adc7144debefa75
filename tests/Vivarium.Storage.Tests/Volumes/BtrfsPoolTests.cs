using Vivarium.Linux.Btrfs;
using Vivarium.Linux.Mounts;
using Vivarium.Volumes;
using Vivarium.Volumes.Selection;
using Vivarium.Wire.Errors;

namespace Vivarium.Storage.Tests.Volumes;

/// <summary>The pool file: making, finding again, growing, filling, letting go.</summary>
public sealed class BtrfsPoolTests
{
    private const string Data = "fallocate -l BULK bulk; cat /dev/zero > fill 2>/dev/null || true";

    private const string SmallFiles = "python3 -c 'import itertools\ntry:\n for i in itertools.count():\n  open(\"f%d\" % i, \"w\").write(\"x\" * 1900)\nexcept OSError as e:\n  assert e.errno == 28, e'";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reopening_finds_the_mounted_pool_and_remounts_an_unmounted_one()
    {
        await using var fixture = await StoreFixture.OpenAsync("auto");
        Assert.Equal(StoreKind.BtrfsFile, fixture.Choice.Kind);
        await fixture.TemplateAsync("t", ("a", "kept"));
        var mount = MountTable.Find(fixture.Options.Directory);
        Assert.NotNull(mount);

        await fixture.ReopenAsync();
        Assert.Equal(mount, MountTable.Find(fixture.Options.Directory));

        await fixture.Store.UnmountAsync(Token);
        Assert.Null(MountTable.Find(fixture.Options.Directory));
        await fixture.ReopenAsync();
        Assert.Equal("kept", await File.ReadAllTextAsync(fixture.Store.PathOf(VolumeKind.Template, "t") + "/a", Token));
    }

    [Fact]
    public async Task Templates_and_snapshots_are_read_only_and_sandboxes_are_not()
    {
        await using var fixture = await StoreFixture.OpenAsync("btrfs");
        await fixture.TemplateAsync("t", ("a", "x"));
        await fixture.Store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token);
        await fixture.Store.CloneAsync(VolumeKind.Sandbox, "s", VolumeKind.Snapshot, "p", Token);
        await fixture.Store.CloneAsync(VolumeKind.Snapshot, "p", VolumeKind.Sandbox, "s2", Token);
        Assert.Throws<IOException>(() => File.Create(fixture.Store.PathOf(VolumeKind.Template, "t") + "/new"));
        Assert.Throws<IOException>(() => File.Create(fixture.Store.PathOf(VolumeKind.Snapshot, "p") + "/new"));
        await File.Create(fixture.Store.PathOf(VolumeKind.Sandbox, "s2") + "/new").DisposeAsync();
        await fixture.Store.DeleteAsync(VolumeKind.Snapshot, "p", Token);
        Assert.Empty(fixture.Store.List(VolumeKind.Snapshot));
    }

    [Fact]
    public async Task A_half_made_pool_file_is_made_again()
    {
        var directory = Directory.CreateTempSubdirectory("viv-storage-").FullName;
        await File.WriteAllBytesAsync(directory + "/pool.img.partial", new byte[4096], Token);
        var options = new PoolOptions { StateDirectory = directory, Store = "btrfs", SizeBytes = 1L << 30 };
        var opened = await VolumeStores.OpenAsync(options, Token);
        Assert.False(File.Exists(directory + "/pool.img.partial"));
        Assert.True(File.Exists(directory + "/pool.img"));
        await opened.Store.UnmountAsync(Token);
        await opened.Store.DisposeAsync();
        Directory.Delete(directory, true);
    }

    [Fact]
    public async Task A_damaged_pool_file_is_refused_and_left_as_it_is()
    {
        var directory = Directory.CreateTempSubdirectory("viv-storage-").FullName;
        await File.WriteAllBytesAsync(directory + "/pool.img", new byte[1 << 20], Token);
        var options = new PoolOptions { StateDirectory = directory, Store = "auto" };
        var error = await Assert.ThrowsAsync<VivariumException>(() => VolumeStores.OpenAsync(options, Token));
        Assert.Equal((ErrorCode.DataLoss, "pool_damaged"), (error.Code, error.Reason));
        Assert.Equal(1 << 20, new FileInfo(directory + "/pool.img").Length);
        Directory.Delete(directory, true);
    }

    [Fact]
    public async Task Something_else_at_the_pool_directory_is_not_taken_for_ours()
    {
        await using var fixture = await StoreFixture.OpenAsync("btrfs", 1L << 30);
        await fixture.Store.UnmountAsync(Token);
        var directory = fixture.Options.Directory;
        await Shell.RunAsync($"mount -t tmpfs viv-test {directory}");
        var error = await Assert.ThrowsAsync<VivariumException>(() => VolumeStores.OpenAsync(fixture.Options, Token));
        Assert.Equal("pool_path_taken", error.Reason);
        await Shell.RunAsync($"umount {directory} && touch {directory}/file");
        error = await Assert.ThrowsAsync<VivariumException>(() => VolumeStores.OpenAsync(fixture.Options, Token));
        Assert.Equal("pool_path_taken", error.Reason);
        File.Delete(directory + "/file");
        await fixture.ReopenAsync();
    }

    [Fact]
    public async Task A_pool_in_use_is_not_unmounted()
    {
        await using var fixture = await StoreFixture.OpenAsync("btrfs", 1L << 30);
        await fixture.TemplateAsync("t", ("a", "x"));
        await using (File.OpenRead(fixture.Store.PathOf(VolumeKind.Template, "t") + "/a"))
        {
            var error = await Assert.ThrowsAsync<VivariumException>(() => fixture.Store.UnmountAsync(Token));
            Assert.Equal((ErrorCode.FailedPrecondition, "pool_busy"), (error.Code, error.Reason));
        }
    }

    [Fact]
    public async Task A_larger_configured_size_grows_the_pool_online()
    {
        await using var fixture = await StoreFixture.OpenAsync("btrfs", 1L << 30);
        await fixture.TemplateAsync("t", ("a", "x"));
        await using var open = File.OpenRead(fixture.Store.PathOf(VolumeKind.Template, "t") + "/a");
        var before = await fixture.Store.SpaceAsync(Token);
        await fixture.ReopenAsync(fixture.Options with { SizeBytes = 3L << 30 });
        var after = await fixture.Store.SpaceAsync(Token);
        Assert.InRange(after.TotalBytes - before.TotalBytes, 19L << 26, 2L << 30);
        Assert.Equal(ErrorCode.InvalidArgument, (await Assert.ThrowsAsync<VivariumException>(() => fixture.Store.GrowAsync(1L << 30, Token))).Code);
    }

    /// <summary>Filled with data, and with what has no data at all: where btrfs runs out of metadata, others run out of inodes.</summary>
    [Theory]
    [InlineData(150L << 20, Data)]
    [InlineData(6000L << 20, Data)]
    [InlineData(150L << 20, SmallFiles)]
    public async Task A_full_pool_refuses_precisely_and_removing_makes_room(long bytes, string how)
    {
        await using var fixture = await StoreFixture.OpenAsync("btrfs", bytes);
        var store = fixture.Store;
        await fixture.TemplateAsync("t", ("a", "x"));
        await store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token);
        Assert.Equal(PoolState.Healthy, (await store.HealthAsync(Token)).State);
        await Shell.RunAsync($"cd {store.PathOf(VolumeKind.Sandbox, "s")}; {how.Replace("BULK", $"{bytes / 10 * 9}", StringComparison.Ordinal)}; sync -f . || true");

        var health = await store.HealthAsync(Token);
        Assert.True(health.State == PoolState.Critical, $"{health} {await store.SpaceAsync(Token)}");
        var error = await Assert.ThrowsAsync<VivariumException>(() => store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s2", Token));
        Assert.Equal((ErrorCode.ResourceExhausted, "pool_full"), (error.Code, error.Reason));
        Assert.NotNull(error.Hint);
        Assert.Equal(["s"], store.List(VolumeKind.Sandbox));

        await store.DeleteAsync(VolumeKind.Sandbox, "s", Token);
        Assert.Empty(store.List(VolumeKind.Sandbox));
        await StoreFixture.WithinAsync(() => store.HealthAsync(Token).Result.State == PoolState.Healthy, "the space of the removed volume comes back");
        await store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s2", Token);
    }

    [Fact]
    public async Task Subvolumes_a_tenant_made_inside_are_removed_with_it_read_only_ones_too()
    {
        await using var fixture = await StoreFixture.OpenAsync("btrfs");
        var store = fixture.Store;
        await fixture.TemplateAsync("t", ("a", "x"));
        await store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token);
        var path = store.PathOf(VolumeKind.Sandbox, "s");
        await Shell.RunAsync($"mkdir -p {path}/deep/er");
        Subvolume.Create(path + "/deep/er/one");
        Subvolume.Create(path + "/deep/er/one/two");
        Subvolume.Create(path + "/deep/er/one/two/three");
        Subvolume.SetReadOnly(path + "/deep/er/one/two", true);
        Subvolume.Snapshot(path, path + "/of-itself", readOnly: true);
        await store.DeleteAsync(VolumeKind.Sandbox, "s", Token);
        Assert.False(Directory.Exists(path));
        await StoreFixture.WithinAsync(() => !Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(path)!).Any(), "nested subvolumes go in the background");
    }

    [Fact]
    public async Task A_limit_is_kept_by_the_kernel()
    {
        await using var fixture = await StoreFixture.OpenAsync("btrfs");
        var store = fixture.Store;
        await fixture.TemplateAsync("t", ("a", "x"));
        await store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token);
        await store.SetQuotaAsync(VolumeKind.Sandbox, "s", 20 << 20, Token);
        var path = store.PathOf(VolumeKind.Sandbox, "s");
        var said = await Shell.RunAsync($"(head -c 60000000 /dev/urandom > {path}/big) 2>&1 || true; sync -f {path}; (head -c 60000000 /dev/urandom > {path}/more) 2>&1 || true; du -sm {path} | cut -f1");
        Assert.InRange(int.Parse(said.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1], System.Globalization.CultureInfo.InvariantCulture), 1, 22);
        await store.SetQuotaAsync(VolumeKind.Sandbox, "s", null, Token);
        await Shell.RunAsync($"rm -f {path}/big {path}/more; head -c 30000000 /dev/urandom > {path}/big");
        await store.DeleteAsync(VolumeKind.Sandbox, "s", Token);
    }

    [Fact]
    public async Task Opening_two_at_once_gives_one_pool()
    {
        var directory = Directory.CreateTempSubdirectory("viv-storage-").FullName;
        var options = new PoolOptions { StateDirectory = directory, Store = "btrfs", SizeBytes = 1L << 30 };
        var opened = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => VolumeStores.OpenAsync(options, Token))));
        var mounts = await Shell.RunAsync($"grep -c ' {directory}/pool ' /proc/self/mountinfo");
        Assert.Equal("1\n", mounts);
        await opened[0].Store.UnmountAsync(Token);
        foreach (var one in opened)
        {
            await one.Store.DisposeAsync();
        }

        Directory.Delete(directory, true);
    }
}
