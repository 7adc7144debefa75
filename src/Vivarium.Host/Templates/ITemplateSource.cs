using Vivarium.Host.Operations;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Templates;

/// <summary>Templates as the workflows need them.</summary>
internal interface ITemplateSource
{
    /// <summary>The template of a name or digest; a built-in one that is missing is built first, with progress.</summary>
    Task<ResolvedTemplate> ResolveAsync(string reference, Operation? progress, CancellationToken cancellationToken);

    /// <summary>All, with how many sandboxes use each.</summary>
    Task<TemplateList> ListAsync(CancellationToken cancellationToken);

    /// <summary>One.</summary>
    Task<TemplateInfo> GetAsync(string reference, CancellationToken cancellationToken);

    /// <summary>Builds a built-in recipe.</summary>
    Task<TemplateInfo> BuildAsync(BuildParams parameters, Operation progress, CancellationToken cancellationToken);

    /// <summary>Imports a directory, archive or image.</summary>
    Task<ImportReply> ImportAsync(ImportParams parameters, Operation progress, CancellationToken cancellationToken);

    /// <summary>Writes one as an archive.</summary>
    Task<ExportReply> ExportAsync(ExportParams parameters, Operation progress, CancellationToken cancellationToken);

    /// <summary>Gives one a further name.</summary>
    Task<TemplateInfo> TagAsync(TagParams parameters, CancellationToken cancellationToken);

    /// <summary>Removes what crashes and rebuilds left; says what.</summary>
    Task<IReadOnlyList<string>> ReclaimAsync(CancellationToken cancellationToken);

    /// <summary>Removes one that nothing uses.</summary>
    Task RemoveAsync(string reference, CancellationToken cancellationToken);
}

/// <summary>A template ready to be cloned.</summary>
/// <param name="Digest"><c>sha256:…</c>.</param>
/// <param name="VolumeKey">Key of its volume.</param>
/// <param name="User">Default user.</param>
/// <param name="Workdir">Default working directory.</param>
/// <param name="Env">Environment of all its processes.</param>
internal sealed record ResolvedTemplate(string Digest, string VolumeKey, string? User, string? Workdir, IReadOnlyDictionary<string, string>? Env);
