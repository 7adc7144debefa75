using System.Diagnostics;
using Vivarium.Storage.Tests.Volumes;
using Vivarium.Templates;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Storage.Tests.Templates;

/// <summary>The built-in templates, really made and really entered.</summary>
public sealed class BuiltInTemplateTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("btrfs")]
    [InlineData("local-disk")]
    public async Task Tiny_is_made_in_a_moment_and_works(string kind)
    {
        await using var fixture = await StoreFixture.OpenAsync(kind, 1L << 30);
        var store = Open(fixture);
        var start = Stopwatch.GetTimestamp();
        var record = await store.ResolveAsync("tiny", null, Token);
        var took = Stopwatch.GetElapsedTime(start);
        TestContext.Current.TestOutputHelper!.WriteLine($"tiny on {kind}: {took.TotalMilliseconds:0} ms, {record.SizeBytes} bytes, {record.Entries} entries");
        Assert.True(took < TimeSpan.FromSeconds(10), $"took {took}");
        await fixture.Store.CloneAsync(VolumeKind.Template, record.VolumeKey, VolumeKind.Sandbox, "s", Token);
        var root = fixture.Store.PathOf(VolumeKind.Sandbox, "s");
        var said = await Shell.RunAsync($"chroot {root} /bin/sh -lc 'id -u user; ls -ld /tmp | cut -c1-10; echo $PATH; awk \"BEGIN{{print 6*7}}\"; stat -c %u /home/user; whoami'");
        Assert.Equal("1000\ndrwxrwxrwt\n/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n42\n1000\nroot\n", said);
        var again = await store.BuildAsync(new BuildParams { Recipe = "tiny", Rebuild = true }, null, Token);
        Assert.Equal(record.Digest, again.Digest);
    }

    /// <summary>The slow one: run alone with <c>-trait "build=base"</c>, or left out with <c>-trait- "build=base"</c>.</summary>
    [Fact]
    [Trait("build", "base")]
    public async Task Base_is_made_with_progress_and_works_and_can_be_cancelled_and_cached()
    {
        await using var fixture = await StoreFixture.OpenAsync("btrfs", 8L << 30);
        var cache = fixture.Options.StateDirectory + "/archives";
        var store = Open(fixture, cache);
        await CancelInTheMiddle(fixture, store);

        var seen = new List<TemplateProgress>();
        var start = Stopwatch.GetTimestamp();
        var record = await store.ResolveAsync("base", seen.Add, Token);
        var took = Stopwatch.GetElapsedTime(start);
        TestContext.Current.TestOutputHelper!.WriteLine($"base: {took.TotalSeconds:0.0} s, {record.SizeBytes >> 20} MiB, {record.Entries} entries, {record.Digest}");
        Assert.True(took < TimeSpan.FromMinutes(5), $"took {took}");
        var fractions = seen.Where(progress => progress.Fraction is not null).Select(progress => progress.Fraction!.Value).ToList();
        Assert.Equal(fractions.Order(), fractions);
        Assert.True(fractions.Distinct().Count() > 50, $"{fractions.Distinct().Count()} steps");
        Assert.Superset(new HashSet<string> { "index", "download", "extract", "configure", "finish", "digest", "commit" }, seen.Select(progress => progress.Stage).ToHashSet());

        await fixture.Store.CloneAsync(VolumeKind.Template, record.VolumeKey, VolumeKind.Sandbox, "s", Token);
        var root = fixture.Store.PathOf(VolumeKind.Sandbox, "s");
        await Shell.RunAsync($"unshare --mount --propagation private sh -ec \"mount --rbind /dev {root}/dev && mount -t proc proc {root}/proc && chroot {root} bash -ec 'git --version; curl --version; python3 -c import\\ json,ssl,sqlite3; ps --version; less --version; test -s /etc/ssl/certs/ca-certificates.crt; dpkg --audit'\"");
        Assert.Equal("1000:1000:/home/user:/bin/bash\n", await Shell.RunAsync($"chroot {root} getent passwd user | cut -d: -f3,4,6,7"));
        Assert.Equal("", await Shell.RunAsync($"cd {root}; cat etc/resolv.conf etc/machine-id; ls var/cache/apt var/lib/apt/lists | grep -E 'deb$|Packages' || true; grep -l Proxy -r etc/apt || true; grep -lE 'nodesource|vendor|google' -r etc/apt/sources.list* || true"));
        Assert.True(Directory.EnumerateFiles(fixture.Options.StateDirectory + "/cache/apt", "*.deb").Count() > 50);

        start = Stopwatch.GetTimestamp();
        await store.RemoveAsync("base", Token);
        var second = await store.ResolveAsync("base", null, Token);
        TestContext.Current.TestOutputHelper!.WriteLine($"base from the archive: {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s");
        Assert.Equal(record.Digest, second.Digest);
    }

    [Theory]
    [InlineData("http://127.0.0.1:9/debian", ErrorCode.Unavailable, "packages_unavailable")]
    [InlineData("ftp://mirror.example/debian", ErrorCode.InvalidArgument, null)]
    [InlineData("http://mirror.example/debian\nTypes: deb", ErrorCode.InvalidArgument, null)]
    public async Task A_mirror_that_does_not_answer_or_is_none_is_told_precisely_and_nothing_stays(string mirror, ErrorCode code, string? reason)
    {
        await using var fixture = await StoreFixture.OpenAsync("btrfs", 1L << 30);
        var store = new TemplateStore(
            fixture.Store, new TemplateOptions { StateDirectory = fixture.Options.StateDirectory, Mirror = mirror }, _ => [], TimeProvider.System);
        var error = await Assert.ThrowsAsync<VivariumException>(() => store.ResolveAsync("base", null, Token));
        Assert.Equal((code, reason), (error.Code, error.Reason));
        Assert.NotNull(error.Hint);
        Assert.Empty(Directory.EnumerateFileSystemEntries(fixture.Options.Directory + "/templates"));
    }

    private static async Task CancelInTheMiddle(StoreFixture fixture, TemplateStore store)
    {
        using var cancel = new CancellationTokenSource();
        var build = store.ResolveAsync(
            "base",
            progress =>
            {
                if (progress.Stage == "configure")
                {
                    cancel.Cancel();
                }
            },
            cancel.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => build);
        var templates = fixture.Options.Directory + "/templates";
        await StoreFixture.WithinAsync(() => !Directory.EnumerateFileSystemEntries(templates).Any(), "a cancelled build leaves no volume");
        Assert.Equal("0\n", await Shell.RunAsync($"grep -c '{templates}' /proc/self/mountinfo || true"));
        Assert.Equal("0\n", await Shell.RunAsync($"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'mmdebstrap.*{templates}[/]' || true"));
    }

    private static TemplateStore Open(StoreFixture fixture, string cache = "") => new(
        fixture.Store,
        new TemplateOptions { StateDirectory = fixture.Options.StateDirectory, CacheDirectory = cache },
        _ => [],
        TimeProvider.System);
}
