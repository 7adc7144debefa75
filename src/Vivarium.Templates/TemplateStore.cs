using Vivarium.Templates.Recipes;
using Vivarium.Templates.Store;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Templates;

/// <summary>Templates in a volume store.</summary>
public sealed partial class TemplateStore : ITemplateStore
{
    private readonly IVolumeStore volumes;
    private readonly TemplateOptions options;
    private readonly Func<string, IReadOnlyList<string>> users;
    private readonly TimeProvider time;
    private readonly IReadOnlyList<ITemplateRecipe> recipes;
    private readonly TemplateRecords records;
    private readonly Lock gate = new();
    private readonly Dictionary<string, SharedBuild> builds = new(StringComparer.Ordinal);

    /// <summary>Reads the records; damaged ones are set aside and told by <see cref="ReclaimAsync"/>.</summary>
    /// <param name="volumes">Where contents lie.</param>
    /// <param name="options">Configuration.</param>
    /// <param name="users">Names of the sandboxes and snapshots made from a digest.</param>
    /// <param name="time">The clock.</param>
    public TemplateStore(IVolumeStore volumes, TemplateOptions options, Func<string, IReadOnlyList<string>> users, TimeProvider time)
        : this(volumes, options, users, time, BuiltInRecipes.All(options))
    {
    }

    internal TemplateStore(
        IVolumeStore volumes, TemplateOptions options, Func<string, IReadOnlyList<string>> users, TimeProvider time, IReadOnlyList<ITemplateRecipe> recipes)
    {
        this.volumes = volumes;
        this.options = options;
        this.users = users;
        this.time = time;
        this.recipes = recipes;
        records = new TemplateRecords(options.RecordsDirectory);
    }

    /// <inheritdoc/>
    public IReadOnlyList<TemplateInfo> List()
    {
        var stored = records.All().Where(Present).SelectMany(Describe).ToList();
        stored.AddRange(recipes.Where(recipe => records.ByName(recipe.Name) is not { } record || !Present(record)).Select(Describe));
        return [.. stored.OrderBy(info => info.Name ?? "~", StringComparer.Ordinal).ThenByDescending(info => info.CreatedUnixMs)];
    }

    /// <inheritdoc/>
    public TemplateInfo Get(string reference)
    {
        if (Find(reference) is { } record)
        {
            var all = Describe(record).ToList();
            return all.Find(info => info.Name == reference) ?? all[0];
        }

        return recipes.FirstOrDefault(recipe => recipe.Name == reference) is { } recipe ? Describe(recipe) : throw NotFound(reference);
    }

    /// <inheritdoc/>
    public TemplateRecord? Find(string reference) => TemplateReference.Find(records, reference) is { } record && Present(record) ? record : null;

    /// <inheritdoc/>
    public async Task<TemplateRecord> ResolveAsync(string reference, Action<TemplateProgress>? progress, CancellationToken cancellationToken)
    {
        if (Find(reference) is { } record)
        {
            return record;
        }

        return recipes.Any(recipe => recipe.Name == reference)
            ? await BuildAsync(new BuildParams { Recipe = reference }, progress, cancellationToken).ConfigureAwait(false)
            : throw NotFound(reference);
    }

    /// <inheritdoc/>
    public async Task<TemplateRecord> BuildAsync(BuildParams parameters, Action<TemplateProgress>? progress, CancellationToken cancellationToken)
    {
        var recipe = recipes.FirstOrDefault(recipe => recipe.Name == parameters.Recipe) ?? throw new VivariumException(
            ErrorCode.NotFound,
            $"there is no recipe '{parameters.Recipe}'",
            $"built-in recipes: {string.Join(", ", recipes.Select(recipe => recipe.Name))}");
        var name = parameters.Name ?? recipe.Name;
        CheckName(name);

        if (!parameters.Rebuild && records.ByName(name) is { } existing && Present(existing))
        {
            return existing;
        }

        return await Join(recipe, name, parameters.Rebuild, progress).WaitAsync(progress, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task RemoveAsync(string reference, CancellationToken cancellationToken)
    {
        var record = TemplateReference.Find(records, reference) ?? throw NotFound(reference);
        if (records.ByName(reference) is not null && records.NamesOf(record.Digest).Count > 1)
        {
            records.RemoveName(reference);
            return;
        }

        if (users(record.Digest) is { Count: > 0 } names)
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"template '{reference}' cannot be removed: {names.Count} {(names.Count == 1 ? "sandbox was" : "sandboxes were")} made from it: {Some(names)}",
                "remove those first",
                "template_in_use");
        }

        RefuseWhileExported(record, reference);
        records.Remove(record);
        await volumes.DeleteAsync(VolumeKind.Template, record.VolumeKey, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ReclaimAsync(CancellationToken cancellationToken)
    {
        List<string> done = [.. records.Damaged];
        records.Damaged.Clear();
        foreach (var record in records.All().Where(record => !Present(record)))
        {
            records.Remove(record);
            done.Add($"template '{record.Digest}' has no volume; its record is removed");
        }

        foreach (var record in records.All().Where(Unneeded))
        {
            await RemoveUnneededAsync(record, cancellationToken).ConfigureAwait(false);
            done.Add($"template '{record.Digest}' has no name and no user; it is removed");
        }

        foreach (var key in volumes.List(VolumeKind.Template))
        {
            if (records.ByDigest(TemplateRecord.DigestPrefix + key) is null && !IsBuilding())
            {
                await volumes.DeleteAsync(VolumeKind.Template, key, cancellationToken).ConfigureAwait(false);
                done.Add($"template volume '{key}' has no record; it is removed");
            }
        }

        return done;
    }

    private SharedBuild Join(ITemplateRecipe recipe, string name, bool rebuild, Action<TemplateProgress>? progress)
    {
        var key = $"{recipe.Name} as {name}";
        lock (gate)
        {
            if (builds.TryGetValue(key, out var running) && running.TryJoin(progress))
            {
                return running;
            }

            var build = new SharedBuild();
            build.TryJoin(progress);
            builds[key] = build;
            _ = Task.Run(
                async () =>
                {
                    await build.RunAsync((report, token) => MakeAsync(recipe, name, rebuild, report, token)).ConfigureAwait(false);
                    lock (gate)
                    {
                        if (builds.GetValueOrDefault(key) == build)
                        {
                            builds.Remove(key);
                        }
                    }
                },
                CancellationToken.None /* the build outlives the request that began it, while others wait */);
            return build;
        }
    }

    private async Task<TemplateRecord> MakeAsync(
        ITemplateRecipe recipe, string name, bool rebuild, Action<TemplateProgress> report, CancellationToken cancellationToken)
    {
        var key = $"building-{recipe.Name}-{Guid.NewGuid():N}";
        var root = await volumes.CreateAsync(VolumeKind.Template, key, cancellationToken).ConfigureAwait(false);
        try
        {
            await FillAsync(recipe, root, rebuild, report, cancellationToken).ConfigureAwait(false);
            report(new TemplateProgress("digest", 0.96, "computing the digest"));
            var content = await Task.Run(() => TemplateDigest.Compute(root, recipe.Metadata, cancellationToken), cancellationToken).ConfigureAwait(false);
            report(new TemplateProgress("commit", 0.98, "storing"));
            return await KeepAsync(recipe.Name, recipe.Metadata, name, key, content, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            // Not the caller's token: a cancelled build must still clean up.
            await volumes.AbandonAsync(VolumeKind.Template, key, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    private async Task FillAsync(ITemplateRecipe recipe, string root, bool rebuild, Action<TemplateProgress> report, CancellationToken cancellationToken)
    {
        var archive = options.CacheDirectory.Length > 0 && recipe.CacheKey() is not null ? new TemplateArchive(options.CacheDirectory) : null;
        var cacheKey = archive is null ? "" : recipe.CacheKey()!;
        if (archive is not null && !rebuild)
        {
            report(new TemplateProgress("import", null, "looking for an archive"));
            if (await archive.TryExtractAsync(recipe.Name, cacheKey, root, cancellationToken).ConfigureAwait(false))
            {
                return;
            }
        }

        await recipe.MakeAsync(root, report, cancellationToken).ConfigureAwait(false);
        if (archive is not null)
        {
            await archive.StoreAsync(recipe.Name, cacheKey, root, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<TemplateRecord> KeepAsync(
        string recipe, TemplateMetadata metadata, string name, string key, TemplateDigest.Result content, CancellationToken cancellationToken)
    {
        var record = new TemplateRecord
        {
            Digest = content.Digest,
            BuiltAs = name,
            Recipe = recipe,
            Metadata = metadata,
            SizeBytes = content.SizeBytes,
            Entries = content.Entries,
            CreatedUnixMs = time.GetUtcNow().ToUnixTimeMilliseconds(),
        };
        var previous = records.ByName(name);
        if (volumes.Exists(VolumeKind.Template, record.VolumeKey))
        {
            // The same content is here already; the record may be new (after a damaged one) or older.
            await volumes.AbandonAsync(VolumeKind.Template, key, cancellationToken).ConfigureAwait(false);
            record = records.ByDigest(record.Digest) ?? record;
        }
        else
        {
            await volumes.CommitAsync(VolumeKind.Template, key, record.VolumeKey, cancellationToken).ConfigureAwait(false);
        }

        records.Put(record, name);
        if (previous is not null && previous.Digest != record.Digest && Unneeded(previous))
        {
            await RemoveUnneededAsync(previous, cancellationToken).ConfigureAwait(false);
        }

        return record;
    }

    private async Task RemoveUnneededAsync(TemplateRecord record, CancellationToken cancellationToken)
    {
        records.Remove(record);
        await volumes.DeleteAsync(VolumeKind.Template, record.VolumeKey, cancellationToken).ConfigureAwait(false);
    }

    private bool Unneeded(TemplateRecord record) => !IsExported(record) && records.NamesOf(record.Digest).Count == 0 && users(record.Digest).Count == 0;

    private bool Present(TemplateRecord record) => volumes.Exists(VolumeKind.Template, record.VolumeKey);

    private bool IsBuilding(string? recipe = null)
    {
        lock (gate)
        {
            return (recipe is null && importing > 0) || builds.Keys.Any(key => recipe is null || key.StartsWith($"{recipe} as ", StringComparison.Ordinal));
        }
    }

    private IEnumerable<TemplateInfo> Describe(TemplateRecord record)
    {
        var names = records.NamesOf(record.Digest);
        return (names.Count == 0 ? [null] : (IEnumerable<string?>)names).Select(name => new TemplateInfo
        {
            Name = name,
            Digest = record.Digest,
            Description = record.Metadata.Description,
            SizeBytes = record.SizeBytes,
            Entries = record.Entries,
            CreatedUnixMs = record.CreatedUnixMs,
            References = users(record.Digest).Count,
            User = record.Metadata.User,
            Workdir = record.Metadata.Workdir,
            Env = record.Metadata.Env,
            Platform = record.Metadata.Platform,
            Entrypoint = record.Metadata.Entrypoint,
            Command = record.Metadata.Command,
            Labels = record.Metadata.Labels.Count == 0 ? null : record.Metadata.Labels,
            ExposedPorts = record.Metadata.ExposedPorts,
            Status = "ready",
        });
    }

    private TemplateInfo Describe(ITemplateRecipe recipe) => new()
    {
        Name = recipe.Name,
        Digest = "",
        Description = recipe.Metadata.Description,
        SizeBytes = 0,
        CreatedUnixMs = 0,
        User = recipe.Metadata.User,
        Workdir = recipe.Metadata.Workdir,
        Env = recipe.Metadata.Env,
        Status = IsBuilding(recipe.Name) ? "building" : "available",
    };

    private static VivariumException NotFound(string reference) => new(
        ErrorCode.NotFound, $"there is no template '{reference}'", "'viv template ls' shows the templates there are", "template_not_found");
}
