using Vivarium.Storage.Tests.Volumes;
using Vivarium.Templates;
using Vivarium.Templates.Recipes;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Storage.Tests.Templates;

/// <summary>Names, digests, references, sharing and repair, with quick recipes in a real store.</summary>
public sealed class TemplateStoreTests : IAsyncLifetime
{
    private readonly Dictionary<string, int> references = new(StringComparer.Ordinal);
    private readonly FakeRecipe recipe = new();
    private StoreFixture fixture = null!;
    private TemplateStore store = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        fixture = await StoreFixture.OpenAsync("btrfs", 1L << 30);
        store = Open();
    }

    public ValueTask DisposeAsync() => fixture.DisposeAsync();

    [Fact]
    public async Task A_built_template_is_found_by_name_digest_and_prefix()
    {
        Assert.Equal("available", store.Get("fake").Status);
        var record = await store.ResolveAsync("fake", null, Token);
        Assert.Matches("^sha256:[0-9a-f]{64}$", record.Digest);
        Assert.Equal(record, store.Find("fake"));
        Assert.Equal(record, store.Find(record.Digest));
        Assert.Equal(record, store.Find(record.Digest[..17]));
        Assert.Equal(record, store.Find(record.VolumeKey[..8]));
        Assert.Null(store.Find("sha256:123"));
        Assert.Equal("content 1", await File.ReadAllTextAsync(fixture.Store.PathOf(VolumeKind.Template, record.VolumeKey) + "/file", Token));
        var info = Assert.Single(store.List());
        Assert.Equal(("fake", "ready", record.Digest, 9L, 1L), (info.Name, info.Status, info.Digest, info.SizeBytes, info.Entries));
        Assert.Equal("b", info.Env!["A"]);
        Assert.Equal(record, Open().Find("fake") is { } again ? again with { Metadata = record.Metadata } : null);
    }

    [Fact]
    public async Task Unknown_references_recipes_and_names_are_refused()
    {
        Assert.Equal(ErrorCode.NotFound, await CodeOf(() => store.ResolveAsync("nothing", null, Token)));
        Assert.Equal(ErrorCode.NotFound, await CodeOf(() => store.BuildAsync(new BuildParams { Recipe = "nothing" }, null, Token)));
        Assert.Equal(ErrorCode.InvalidArgument, await CodeOf(() => store.BuildAsync(new BuildParams { Recipe = "fake", Name = "../x" }, null, Token)));
        Assert.Equal(ErrorCode.NotFound, await CodeOf(() => store.RemoveAsync("nothing", Token)));
        Assert.Throws<VivariumException>(() => store.Get("nothing"));
    }

    [Fact]
    public async Task A_rebuild_moves_the_name_and_keeps_the_old_one_only_while_used()
    {
        var first = await store.ResolveAsync("fake", null, Token);
        recipe.Content = "content 2";
        Assert.Equal(first.Digest, (await store.BuildAsync(new BuildParams { Recipe = "fake" }, null, Token)).Digest);
        references[first.Digest] = 1;
        var second = await store.BuildAsync(new BuildParams { Recipe = "fake", Rebuild = true }, null, Token);
        Assert.NotEqual(first.Digest, second.Digest);
        Assert.Equal(second.Digest, store.Find("fake")!.Digest);
        Assert.Equal(first.Digest, store.Find(first.Digest)!.Digest);
        Assert.Equal(2, store.List().Count);

        recipe.Content = "content 3";
        var third = await store.BuildAsync(new BuildParams { Recipe = "fake", Rebuild = true }, null, Token);
        Assert.Null(store.Find(second.Digest));
        Assert.False(fixture.Store.Exists(VolumeKind.Template, second.VolumeKey));

        references.Clear();
        Assert.Contains(await store.ReclaimAsync(Token), said => said.Contains(first.Digest, StringComparison.Ordinal));
        Assert.Equal([third.VolumeKey], fixture.Store.List(VolumeKind.Template));
    }

    [Fact]
    public async Task The_same_content_has_the_same_digest_and_is_stored_once()
    {
        var first = await store.ResolveAsync("fake", null, Token);
        var again = await store.BuildAsync(new BuildParams { Recipe = "fake", Rebuild = true }, null, Token);
        var other = await store.BuildAsync(new BuildParams { Recipe = "fake", Name = "other" }, null, Token);
        Assert.Equal(first.Digest, again.Digest);
        Assert.Equal(first.Digest, other.Digest);
        Assert.Equal(3, recipe.Made);
        Assert.Equal([first.VolumeKey], fixture.Store.List(VolumeKind.Template));
        Assert.Equal(["fake", "other"], store.List().Select(info => info.Name));
        Assert.Empty(await fixture.Store.ReclaimAsync(Token));
    }

    [Fact]
    public async Task A_template_in_use_is_not_removed()
    {
        var record = await store.ResolveAsync("fake", null, Token);
        references[record.Digest] = 2;
        var error = await Assert.ThrowsAsync<VivariumException>(() => store.RemoveAsync("fake", Token));
        Assert.Equal((ErrorCode.FailedPrecondition, "template_in_use"), (error.Code, error.Reason));
        Assert.Contains("box-1, box-2", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, store.Get("fake").References);
        references.Clear();
        await store.RemoveAsync("fake", Token);
        Assert.Null(store.Find(record.Digest));
        Assert.Empty(fixture.Store.List(VolumeKind.Template));
        Assert.Equal("available", store.Get("fake").Status);
    }

    [Fact]
    public async Task Builds_at_the_same_time_are_one_and_all_see_progress()
    {
        recipe.Hold = new TaskCompletionSource();
        var seen = new System.Collections.Concurrent.ConcurrentBag<string>();
        var both = Enumerable.Range(0, 3).Select(i => store.ResolveAsync("fake", progress => seen.Add($"{i} {progress.Stage}"), Token)).ToList();
        await recipe.Begun.Task.WaitAsync(TimeSpan.FromSeconds(10), Token);
        Assert.Equal("building", store.Get("fake").Status);
        recipe.Hold.SetResult();
        var records = await Task.WhenAll(both);
        Assert.Equal(1, recipe.Made);
        Assert.Single(records.Select(record => record.Digest).Distinct());
        Assert.All(Enumerable.Range(0, 3), i => Assert.Contains($"{i} commit", seen));
    }

    [Fact]
    public async Task One_who_gives_up_does_not_end_the_build_and_the_last_one_does()
    {
        recipe.Hold = new TaskCompletionSource();
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();
        var a = store.ResolveAsync("fake", null, first.Token);
        var b = store.ResolveAsync("fake", null, second.Token);
        await recipe.Begun.Task.WaitAsync(TimeSpan.FromSeconds(10), Token);
        await first.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => a);
        Assert.False(recipe.Canceled.Task.IsCompleted);
        await second.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => b);
        await recipe.Canceled.Task.WaitAsync(TimeSpan.FromSeconds(10), Token);
        await StoreFixture.WithinAsync(
            () => !Directory.EnumerateFileSystemEntries(fixture.Options.Directory + "/templates").Any(), "a cancelled build leaves nothing");
        recipe.Hold = null;
        await store.ResolveAsync("fake", null, Token);
    }

    [Fact]
    public async Task A_failed_build_leaves_nothing_and_tells_why()
    {
        recipe.Failure = new VivariumException(ErrorCode.Unavailable, "no packages");
        Assert.Equal(ErrorCode.Unavailable, await CodeOf(() => store.ResolveAsync("fake", null, Token)));
        Assert.Empty(Directory.EnumerateFileSystemEntries(fixture.Options.Directory + "/templates"));
        Assert.Equal("available", store.Get("fake").Status);
    }

    [Fact]
    public async Task A_damaged_record_costs_that_template_only_and_a_rebuild_heals_it()
    {
        var damaged = await store.ResolveAsync("fake", null, Token);
        recipe.Content = "content 2";
        var well = await store.BuildAsync(new BuildParams { Recipe = "fake", Name = "well" }, null, Token);
        var path = $"{fixture.Options.StateDirectory}/templates/{damaged.VolumeKey}.json";
        await File.WriteAllBytesAsync(path, [1, 2, 3], Token);
        store = Open();
        Assert.Null(store.Find("fake"));
        Assert.Equal(well.Digest, store.Find("well")!.Digest);
        Assert.True(File.Exists(path + ".damaged"));
        Assert.Contains(await store.ReclaimAsync(Token), said => said.Contains("damaged", StringComparison.Ordinal));
        recipe.Content = "content 1";
        Assert.Equal(damaged.Digest, (await store.ResolveAsync("fake", null, Token)).Digest);
    }

    [Fact]
    public async Task Damaged_names_come_back_from_the_records()
    {
        var record = await store.ResolveAsync("fake", null, Token);
        await File.WriteAllBytesAsync($"{fixture.Options.StateDirectory}/templates/names.json", "{"u8.ToArray(), Token);
        Assert.Equal(record.Digest, Open().Find("fake")!.Digest);
    }

    [Fact]
    public async Task Volumes_without_record_and_records_without_volume_are_reclaimed()
    {
        var record = await store.ResolveAsync("fake", null, Token);
        await fixture.TemplateAsync("0123abcd", ("a", "x"));
        await fixture.Store.DeleteAsync(VolumeKind.Template, record.VolumeKey, Token);
        Assert.Null(store.Find("fake"));
        Assert.Equal(2, (await store.ReclaimAsync(Token)).Count);
        Assert.Empty(fixture.Store.List(VolumeKind.Template));
        Assert.Empty(await store.ReclaimAsync(Token));
        Assert.Equal(record.Digest, (await store.ResolveAsync("fake", null, Token)).Digest);
    }

    private TemplateStore Open() => new(
        fixture.Store,
        new TemplateOptions { StateDirectory = fixture.Options.StateDirectory },
        digest => [.. Enumerable.Range(1, references.GetValueOrDefault(digest)).Select(i => $"box-{i}")],
        TimeProvider.System,
        [recipe]);

    private static async Task<ErrorCode?> CodeOf(Func<Task> action)
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

    private sealed class FakeRecipe : ITemplateRecipe
    {
        public string Content { get; set; } = "content 1";

        public int Made { get; private set; }

        public TaskCompletionSource? Hold { get; set; }

        public TaskCompletionSource Begun { get; } = new();

        public TaskCompletionSource Canceled { get; } = new();

        public Exception? Failure { get; set; }

        public string Name => "fake";

        public TemplateMetadata Metadata { get; } = new() { User = "root", Env = new(StringComparer.Ordinal) { ["A"] = "b" } };

        public string? CacheKey() => null;

        public async Task MakeAsync(string root, Action<TemplateProgress> progress, CancellationToken cancellationToken)
        {
            Made++;
            await File.WriteAllBytesAsync(root + "/file", System.Text.Encoding.UTF8.GetBytes(Content), cancellationToken);
            Begun.TrySetResult();
            if (Failure is not null)
            {
                throw Failure;
            }

            if (Hold is not null)
            {
                try
                {
                    await Hold.Task.WaitAsync(cancellationToken);
                }
                catch (OperationCanceledException)
                {
                    Canceled.TrySetResult();
                    throw;
                }
            }
        }
    }
}
