using Vivarium.Configuration;
using Vivarium.Host.Operations;
using Vivarium.Host.Pool;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Snapshots;
using Vivarium.Templates;
using Vivarium.Templates.Import;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Templates;

/// <summary>The template store on the pool, opened with it; progress of a build becomes progress of the operation that waits for it.</summary>
internal sealed class TemplateSource(VivariumConfig config, HostPaths paths, VolumePool pool, SandboxCatalog catalog, SnapshotCatalog snapshots, TimeProvider time) : ITemplateSource
{
    private readonly Lock gate = new();
    private ITemplateStore? store;

    /// <inheritdoc/>
    public async Task<ResolvedTemplate> ResolveAsync(string reference, Operation? progress, CancellationToken cancellationToken)
    {
        var templates = await OpenAsync(cancellationToken).ConfigureAwait(false);
        var found = await templates.ResolveAsync(reference, Report(progress), cancellationToken).ConfigureAwait(false);
        var metadata = found.Metadata;
        return new ResolvedTemplate(found.Digest, found.VolumeKey, metadata.User, metadata.Workdir, metadata.Env.Count == 0 ? null : metadata.Env);
    }

    /// <inheritdoc/>
    public async Task<TemplateList> ListAsync(CancellationToken cancellationToken) =>
        new() { Templates = (await OpenAsync(cancellationToken).ConfigureAwait(false)).List() };

    /// <inheritdoc/>
    public async Task<TemplateInfo> GetAsync(string reference, CancellationToken cancellationToken) =>
        (await OpenAsync(cancellationToken).ConfigureAwait(false)).Get(reference);

    /// <inheritdoc/>
    public async Task<TemplateInfo> BuildAsync(BuildParams parameters, Operation progress, CancellationToken cancellationToken)
    {
        var templates = await OpenAsync(cancellationToken).ConfigureAwait(false);
        var built = await templates.BuildAsync(parameters, Report(progress), cancellationToken).ConfigureAwait(false);
        return templates.Get(built.Digest);
    }

    /// <inheritdoc/>
    public async Task<ImportReply> ImportAsync(ImportParams parameters, Operation progress, CancellationToken cancellationToken)
    {
        var templates = await OpenAsync(cancellationToken).ConfigureAwait(false);
        var imported = await templates.ImportAsync(parameters, Report(progress), cancellationToken).ConfigureAwait(false);
        return new ImportReply { Template = templates.Get(parameters.Name), Warnings = imported.Warnings };
    }

    /// <inheritdoc/>
    public async Task<ExportReply> ExportAsync(ExportParams parameters, Operation progress, CancellationToken cancellationToken) =>
        await (await OpenAsync(cancellationToken).ConfigureAwait(false)).ExportAsync(parameters, Report(progress), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task<TemplateInfo> TagAsync(TagParams parameters, CancellationToken cancellationToken) =>
        (await OpenAsync(cancellationToken).ConfigureAwait(false)).Tag(parameters);

    /// <inheritdoc/>
    public async Task RemoveAsync(string reference, CancellationToken cancellationToken) =>
        await (await OpenAsync(cancellationToken).ConfigureAwait(false)).RemoveAsync(reference, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ReclaimAsync(CancellationToken cancellationToken) =>
        await (await OpenAsync(cancellationToken).ConfigureAwait(false)).ReclaimAsync(cancellationToken).ConfigureAwait(false);

    private static Action<TemplateProgress> Report(Operation? operation) => p => operation?.Report("template." + p.Stage, p.Fraction, p.Message);

    private async Task<ITemplateStore> OpenAsync(CancellationToken cancellationToken)
    {
        var volumes = await pool.GetAsync(cancellationToken).ConfigureAwait(false);
        lock (gate)
        {
            return store ??= new TemplateStore(
                volumes,
                new TemplateOptions
                {
                    StateDirectory = paths.State,
                    Mirror = config.Templates.Mirror,
                    CaCertificates = config.Templates.CaCertificates,
                    CacheDirectory = config.Templates.Cache,
                    ImportLimits = new ImportLimits(config.Templates.ImportMaxBytes.Bytes, config.Templates.ImportMaxEntries),
                },
                UsersOf,
                time);
        }
    }

    /// <summary>Sandboxes, and held snapshots whose sandbox is gone: a fork of one needs the template's settings, and on some stores its data.</summary>
    private string[] UsersOf(string digest) =>
    [
        .. catalog.All().Where(s => s.Record.TemplateDigest == digest).Select(s => s.Record.Name),
        .. snapshots.All().Where(s => s.Source.TemplateDigest == digest && !catalog.Contains(s.Sandbox.Value)).Select(static s => s.Sandbox).Distinct()
            .Select(static sandbox => $"{sandbox.Value} (its snapshots)"),
    ];
}
