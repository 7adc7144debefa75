using Vivarium.Volumes;
using Vivarium.Wire.Errors;

namespace Vivarium.Storage.Tests.Volumes;

/// <summary>What every store promises; run against each of them.</summary>
public abstract partial class StoreConformance(string name) : IAsyncLifetime
{
    private StoreFixture? fixture;

    protected StoreFixture Fixture => fixture!;

    protected IVolumeStore Store => fixture!.Store;

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => fixture = await StoreFixture.OpenAsync(name);

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Fixture.DisposeAsync();
    }

    [Fact]
    public void It_is_the_store_that_was_asked_for() => Assert.Equal(name, Store.Name);

    [Fact]
    public async Task A_clone_has_the_templates_content_and_is_apart_from_it()
    {
        await Fixture.TemplateAsync("t1", ("etc/a", "one"));
        await Store.CloneAsync(VolumeKind.Template, "t1", VolumeKind.Sandbox, "s1", Token);
        await Store.CloneAsync(VolumeKind.Template, "t1", VolumeKind.Sandbox, "s2", Token);
        var path = Store.PathOf(VolumeKind.Sandbox, "s1");
        Assert.Equal("one", await File.ReadAllTextAsync(path + "/etc/a", Token));
        await File.AppendAllTextAsync(path + "/etc/a", " two", Token);
        Assert.Equal("one", await File.ReadAllTextAsync(Store.PathOf(VolumeKind.Sandbox, "s2") + "/etc/a", Token));
        Assert.Equal("one", await File.ReadAllTextAsync(Store.PathOf(VolumeKind.Template, "t1") + "/etc/a", Token));
        Assert.Equal(["s1", "s2"], Store.List(VolumeKind.Sandbox));
        Assert.Equal(["t1"], Store.List(VolumeKind.Template));
    }

    [Fact]
    public async Task A_clone_keeps_modes_owners_links_and_attributes()
    {
        var directory = await Store.CreateAsync(VolumeKind.Template, "making", Token);
        await File.WriteAllTextAsync(directory + "/file", "x", Token);
        await Shell.RunAsync($"cd {directory} && ln file second && ln -s file soft && ln -s /nowhere dangling && mkfifo pipe && mkdir d && chmod 1777 d && chmod 4755 file && chown 1000:1001 file && touch -d @1000000000 file && python3 -c \"import os;os.setxattr('file','user.note',b'hello')\" && truncate -s 10M holes && printf '\\377\\n' > \"$(printf 'b\\377d')\" && chown -h 7:8 soft && touch -d @1000000001 d");
        await Store.CommitAsync(VolumeKind.Template, "making", "t", Token);
        await Store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token);
        const string listing = "find . -mindepth 1 ! -name holes -printf '%p %y %m %U %G %n %s %T@ %l\\n' | sort; python3 -c \"import os;print(os.listxattr('file'),os.getxattr('file','user.note'))\"; cmp file second && stat -c %i file second | uniq | wc -l; stat -c '%s %b' holes";
        var expected = await Shell.RunAsync($"cd {Store.PathOf(VolumeKind.Template, "t")} && {listing}");
        var actual = await Shell.RunAsync($"cd {Store.PathOf(VolumeKind.Sandbox, "s")} && {listing}");
        Assert.Contains("['user.note'] b'hello'", actual, StringComparison.Ordinal);
        Assert.Contains("\n10485760 0\n", actual, StringComparison.Ordinal);
        Assert.Equal(expected, actual);
    }

    [Fact]
    public async Task A_removed_volume_is_gone_at_once_and_removing_it_again_is_no_error()
    {
        await Fixture.TemplateAsync("t", ("a/b/c", "x"));
        await Store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token);
        await Store.DeleteAsync(VolumeKind.Sandbox, "s", Token);
        Assert.False(Store.Exists(VolumeKind.Sandbox, "s"));
        Assert.Empty(Store.List(VolumeKind.Sandbox));
        await Store.DeleteAsync(VolumeKind.Sandbox, "s", Token);
        await Store.DeleteAsync(VolumeKind.Sandbox, "never-there", Token);
        await Store.DeleteAsync(VolumeKind.Template, "t", Token);
        Assert.False(Store.Exists(VolumeKind.Template, "t"));
    }

    [Fact]
    public async Task Wrong_requests_are_refused_by_code()
    {
        await Fixture.TemplateAsync("t", ("a", "x"));
        await Store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token);
        Assert.Equal(ErrorCode.NotFound, await CodeOf(() => Store.CloneAsync(VolumeKind.Template, "missing", VolumeKind.Sandbox, "s2", Token)));
        Assert.Equal(ErrorCode.AlreadyExists, await CodeOf(() => Store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token)));
        Assert.Equal(ErrorCode.NotFound, await CodeOf(() => Store.UsageAsync(VolumeKind.Sandbox, "missing", Token)));
        Assert.Equal(["s"], Store.List(VolumeKind.Sandbox));
        foreach (var key in new[] { "", "..", "a/b", "A", "a.partial", new string('a', 81) })
        {
            Assert.Equal(ErrorCode.InvalidArgument, await CodeOf(() => Store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, key, Token)));
        }
    }

    [Fact]
    public async Task What_a_crash_left_is_reclaimed_and_work_in_progress_is_not()
    {
        await Store.CreateAsync(VolumeKind.Template, "left-behind", Token);
        await Fixture.ReopenAsync();
        var mine = await Store.CreateAsync(VolumeKind.Template, "going-on", Token);
        await File.WriteAllTextAsync(mine + "/file", "x", Token);
        var removed = await Store.ReclaimAsync(Token);
        Assert.Equal([Store.PathOf(VolumeKind.Template, "left-behind") + ".partial"], removed);
        Assert.Empty(Store.List(VolumeKind.Template));
        await Store.CommitAsync(VolumeKind.Template, "going-on", "whole", Token);
        Assert.Equal(["whole"], Store.List(VolumeKind.Template));
        Assert.Empty(await Store.ReclaimAsync(Token));
    }

    [Fact]
    public async Task An_abandoned_volume_leaves_nothing()
    {
        var path = await Store.CreateAsync(VolumeKind.Template, "no-good", Token);
        await File.WriteAllTextAsync(path + "/file", "x", Token);
        await Store.AbandonAsync(VolumeKind.Template, "no-good", Token);
        Assert.False(Directory.Exists(path));
        await Store.AbandonAsync(VolumeKind.Template, "no-good", Token);
    }

    [Fact]
    public async Task Usage_grows_with_what_is_written()
    {
        await Fixture.TemplateAsync("t", ("a", new string('x', 100_000)));
        await Store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token);
        var before = await Store.UsageAsync(VolumeKind.Sandbox, "s", Token);
        await Shell.RunAsync($"head -c 5000000 /dev/urandom > {Store.PathOf(VolumeKind.Sandbox, "s")}/big; sync -f {Store.PathOf(VolumeKind.Sandbox, "s")}");
        var after = await Store.UsageAsync(VolumeKind.Sandbox, "s", Token);
        Assert.InRange(before.ReferencedBytes, 100_000, 300_000);
        Assert.InRange(after.ReferencedBytes - before.ReferencedBytes, 5_000_000, 5_300_000);
        if (Store.Capabilities.UniqueBytes)
        {
            Assert.Equal(0, before.UniqueBytes);
            Assert.InRange(after.UniqueBytes!.Value, 5_000_000, 5_300_000);
        }
        else
        {
            Assert.Null(after.UniqueBytes);
        }
    }

    [Fact]
    public async Task Space_adds_up_and_the_pool_is_healthy()
    {
        var space = await Store.SpaceAsync(Token);
        Assert.Equal(space.TotalBytes, space.UsedBytes + space.FreeBytes);
        Assert.True(space.FreeBytes > 0 && space.UsedBytes > 0, $"{space}");
        var health = await Store.HealthAsync(Token);
        Assert.InRange(health.UsedFraction, 0.0, 1.0);
        Assert.NotEqual(PoolState.Unusable, health.State);
    }

    [Fact]
    public async Task Many_at_once_all_succeed()
    {
        await Fixture.TemplateAsync("t", ("a", "x"));
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, $"s{i}", Token)));
        Assert.Equal(40, Store.List(VolumeKind.Sandbox).Count);
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Store.DeleteAsync(VolumeKind.Sandbox, $"s{i}", Token)));
        Assert.Empty(Store.List(VolumeKind.Sandbox));
    }

    [Fact]
    public async Task Two_clones_to_one_key_give_one_volume_and_one_refusal()
    {
        await Fixture.TemplateAsync("t", ("a", "x"));
        var both = await Task.WhenAll(Enumerable.Range(0, 2).Select(async _ =>
        {
            try
            {
                await Store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token);
                return (ErrorCode?)null;
            }
            catch (VivariumException e)
            {
                return e.Code;
            }
        }));
        Assert.Equal([null, ErrorCode.AlreadyExists], both.Order());
        Assert.Equal("x", await File.ReadAllTextAsync(Store.PathOf(VolumeKind.Sandbox, "s") + "/a", Token));
    }

    [Fact]
    public async Task Names_and_depths_a_hostile_tenant_makes_do_not_stop_a_removal()
    {
        await Fixture.TemplateAsync("t", ("a", "x"));
        await Store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token);
        var path = Store.PathOf(VolumeKind.Sandbox, "s");
        await Shell.RunAsync($"cd {path} && ln -s / escape && python3 -c \"\nimport os\nfor i in range(2000):\n  os.mkdir('d'*100); os.chdir('d'*100)\nopen(b'\\xff\\n','w')\n\"");
        var usage = await Store.UsageAsync(VolumeKind.Sandbox, "s", Token);
        Assert.InRange(usage.ReferencedBytes, 0, 100_000_000);
        await Store.DeleteAsync(VolumeKind.Sandbox, "s", Token);
        Assert.False(Directory.Exists(path));
        await StoreFixture.WithinAsync(
            () => !Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(path)!).Any(), "the removed volume is taken apart in the background");
        Assert.True(Directory.Exists("/etc"));
    }

    protected static async Task<ErrorCode?> CodeOf(Func<Task> action)
    {
        try
        {
            await action();
            return null;
        }
        catch (VivariumException e)
        {
            return e.Code;
        }
    }
}

public sealed class BtrfsConformance() : StoreConformance("btrfs");

public sealed class LocalDiskConformance() : StoreConformance("local-disk");
