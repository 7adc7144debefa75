using Vivarium.Templates.Export;
using Vivarium.Templates.Import;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Templates;

/// <summary>Templates from elsewhere, to elsewhere, and their names.</summary>
public sealed partial class TemplateStore
{
    private const string ImportRecipe = "import";

    private readonly Dictionary<string, int> exporting = new(StringComparer.Ordinal);
    private int importing;

    /// <inheritdoc/>
    public async Task<ImportedTemplate> ImportAsync(ImportParams parameters, Action<TemplateProgress>? progress, CancellationToken cancellationToken)
    {
        if (!parameters.Path.StartsWith('/') || parameters.Path.Contains('\0'))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"{ImportErrors.Quote(parameters.Path)} is not an absolute path", "give the absolute path of a file or directory", "bad_source");
        }

        CheckName(parameters.Name);
        CheckFree(parameters.Name, parameters.Replace, null);
        var report = new ImportProgress(progress, time);
        var import = new TemplateImport(parameters, options.ImportLimits, options.SpoolDirectory, report, cancellationToken);
        var key = $"importing-{Guid.NewGuid():N}";
        Interlocked.Increment(ref importing);
        try
        {
            var root = await volumes.CreateAsync(VolumeKind.Template, key, cancellationToken).ConfigureAwait(false);
            try
            {
                var metadata = await BlockingAsync(() => WithOverrides(import.Run(root), parameters)).ConfigureAwait(false);
                report.Report("digest", 0.92, "computing the digest");
                var content = await BlockingAsync(() => Store.TemplateDigest.Compute(root, metadata, cancellationToken)).ConfigureAwait(false);
                report.Report("commit", 0.98, "storing");
                CheckFree(parameters.Name, parameters.Replace, content.Digest);
                var record = await KeepAsync(ImportRecipe, metadata, parameters.Name, key, content, cancellationToken).ConfigureAwait(false);
                return new ImportedTemplate(record, import.Notes.Warnings());
            }
            catch
            {
                // Not the caller's token: a cancelled import must still clean up.
                await volumes.AbandonAsync(VolumeKind.Template, key, CancellationToken.None).ConfigureAwait(false);
                throw;
            }
        }
        finally
        {
            Interlocked.Decrement(ref importing);
        }
    }

    /// <inheritdoc/>
    public async Task<ExportReply> ExportAsync(ExportParams parameters, Action<TemplateProgress>? progress, CancellationToken cancellationToken)
    {
        if (parameters.Format is not ("tar" or "oci" or "docker"))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"{ImportErrors.Quote(parameters.Format)} is no export format", "use tar, oci or docker", "bad_format");
        }

        var record = Find(parameters.Ref) ?? throw NotFound(parameters.Ref);
        var asked = parameters.Ref.Split('@')[0];
        var name = Store.TemplateReference.IsName(asked) && records.ByName(asked)?.Digest == record.Digest ? asked : (records.NamesOf(record.Digest) is [var first, ..] ? first : null);
        lock (gate)
        {
            exporting[record.Digest] = exporting.GetValueOrDefault(record.Digest) + 1;
        }

        try
        {
            var root = volumes.PathOf(VolumeKind.Template, record.VolumeKey);
            var export = new TemplateExport(record, root, name, new ImportProgress(progress, time), cancellationToken);
            var bytes = await BlockingAsync(() => Export(export, parameters, cancellationToken)).ConfigureAwait(false);
            return new ExportReply { Digest = record.Digest, Bytes = bytes };
        }
        finally
        {
            lock (gate)
            {
                if (--exporting[record.Digest] == 0)
                {
                    exporting.Remove(record.Digest);
                }
            }
        }
    }

    /// <inheritdoc/>
    public TemplateInfo Tag(TagParams parameters)
    {
        var record = Find(parameters.Ref) ?? throw NotFound(parameters.Ref);
        CheckName(parameters.Name);
        CheckFree(parameters.Name, parameters.Replace, record.Digest);
        records.Put(record, parameters.Name);
        return Get(parameters.Name);
    }

    private static long Export(TemplateExport export, ExportParams parameters, CancellationToken cancellationToken)
    {
        using var target = ExportTarget.Open(parameters.Path, cancellationToken);
        try
        {
            export.Write(parameters.Format, target);
            return target.Count;
        }
        catch (Exception e)
        {
            target.Discard();
            throw e is OperationCanceledException or VivariumException ? e
                : new VivariumException(ErrorCode.Unavailable, $"exporting template '{parameters.Ref}' failed: {e.Message}", "see whether the disk is full", "export_failed", e);
        }
    }

    private static TemplateMetadata WithOverrides(TemplateMetadata metadata, ImportParams parameters)
    {
        foreach (var (key, value) in parameters.Env ?? new Dictionary<string, string>())
        {
            metadata.Env[key] = value;
        }

        return metadata with
        {
            Description = metadata.Description ?? $"imported from {ImportErrors.Quote(Path.GetFileName(parameters.Path.TrimEnd('/')))}",
            User = parameters.User ?? metadata.User,
            Workdir = parameters.Workdir ?? metadata.Workdir,
        };
    }

    /// <summary>A thread of its own, because it blocks for long; every error in words for users.</summary>
    private static Task<T> BlockingAsync<T>(Func<T> work) => Task.Factory.StartNew(
        () =>
        {
            try
            {
                return work();
            }
            catch (Exception e) when (e is not (OperationCanceledException or VivariumException))
            {
                throw ImportErrors.Of(e is AggregateException { InnerException: { } inner } ? inner : e);
            }
        },
        CancellationToken.None /* the work itself looks at the token, and cleans up */,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    private static void CheckName(string name)
    {
        if (!Store.TemplateReference.IsName(name))
        {
            throw new VivariumException(
                ErrorCode.InvalidArgument, $"{ImportErrors.Quote(name)} is not a template name", "use 1 to 63 of a-z, 0-9 and '-', not at the ends");
        }
    }

    private void CheckFree(string name, bool replace, string? unlessDigest)
    {
        var taken = records.ByName(name) is { } record && Present(record) && (unlessDigest is null || record.Digest != unlessDigest);
        if (!replace && (taken || (recipes.Any(recipe => recipe.Name == name) && records.ByName(name) is null)))
        {
            throw new VivariumException(
                ErrorCode.AlreadyExists, $"there is a template '{name}' already", "give another name, or --replace: the name then means the new one", "template_exists");
        }
    }

    private void RefuseWhileExported(TemplateRecord record, string reference)
    {
        if (IsExported(record))
        {
            throw new VivariumException(ErrorCode.FailedPrecondition, $"template '{reference}' cannot be removed: it is being exported", "try again when that is done", "template_in_use");
        }
    }

    private bool IsExported(TemplateRecord record)
    {
        lock (gate)
        {
            return exporting.ContainsKey(record.Digest);
        }
    }

    private static string Some(IReadOnlyList<string> names)
    {
        const int shown = 10;
        var list = string.Join(", ", names.Take(shown));
        return names.Count > shown ? $"{list} and {names.Count - shown} more" : list;
    }
}
