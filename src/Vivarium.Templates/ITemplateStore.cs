using Vivarium.Wire.Host;

namespace Vivarium.Templates;

/// <summary>
/// Root file systems sandboxes are made from, pinned by digest. A reference is a name, a digest (<c>sha256:</c> + 64 hex digits), both (<c>name@sha256:…</c>: the digest decides), or an unambiguous start of a
/// digest of at least 6 hex digits, with or without <c>sha256:</c>.
/// </summary>
/// <remarks>Errors: unknown → not_found; several match → invalid_argument <c>ambiguous</c>; used by sandboxes → failed_precondition <c>template_in_use</c>.</remarks>
public interface ITemplateStore
{
    /// <summary>All stored templates, and the built-in ones that are not made yet (status <c>available</c> or <c>building</c>).</summary>
    IReadOnlyList<TemplateInfo> List();

    /// <summary>One, as <see cref="List"/> shows it.</summary>
    TemplateInfo Get(string reference);

    /// <summary>A stored template; null when the reference names nothing stored.</summary>
    TemplateRecord? Find(string reference);

    /// <summary>A stored template; a built-in one that is missing is built first. Cancelling leaves a build that others wait for running.</summary>
    Task<TemplateRecord> ResolveAsync(string reference, Action<TemplateProgress>? progress, CancellationToken cancellationToken);

    /// <summary>
    /// Builds a recipe. Without <see cref="BuildParams.Rebuild"/> an existing template of the name is returned as it is. A rebuild moves the name; the old template
    /// stays while something refers to it. Builds of one recipe at the same time are one build.
    /// </summary>
    Task<TemplateRecord> BuildAsync(BuildParams parameters, Action<TemplateProgress>? progress, CancellationToken cancellationToken);

    /// <summary>
    /// Makes a template of a directory, archive or image (<see cref="ImportParams.Path"/>). The same content and configuration have the same digest, whatever form they
    /// came in. A failure or cancellation leaves nothing behind.
    /// </summary>
    Task<ImportedTemplate> ImportAsync(ImportParams parameters, Action<TemplateProgress>? progress, CancellationToken cancellationToken);

    /// <summary>Writes a template as an archive; the same template under the same name is the same bytes.</summary>
    Task<ExportReply> ExportAsync(ExportParams parameters, Action<TemplateProgress>? progress, CancellationToken cancellationToken);

    /// <summary>Gives a template a further name.</summary>
    TemplateInfo Tag(TagParams parameters);

    /// <summary>Removes a name of a template that has others; else the template and its names.</summary>
    Task RemoveAsync(string reference, CancellationToken cancellationToken);

    /// <summary>Removes volumes without a record, records without a volume, and nameless templates nothing refers to; returns what was done, a sentence each.</summary>
    Task<IReadOnlyList<string>> ReclaimAsync(CancellationToken cancellationToken);
}
