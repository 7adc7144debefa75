using Vivarium.Host.Operations;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Templates;

/// <summary>Refuses everything: stands in until the template store is in the tree.</summary>
internal sealed class UnbuiltTemplates : ITemplateSource
{
    private static VivariumException Refusal => new(ErrorCode.Unimplemented, "templates are not built yet", null, "no_templates");

    public Task<ResolvedTemplate> ResolveAsync(string reference, Operation progress, CancellationToken cancellationToken) => throw Refusal;

    public Task<TemplateList> ListAsync(CancellationToken cancellationToken) => throw Refusal;

    public Task<TemplateInfo> GetAsync(string reference, CancellationToken cancellationToken) => throw Refusal;

    public Task<TemplateInfo> BuildAsync(BuildParams parameters, Operation progress, CancellationToken cancellationToken) => throw Refusal;

    public Task<IReadOnlyList<string>> ReclaimAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>>([]);

    public Task RemoveAsync(string reference, CancellationToken cancellationToken) => throw Refusal;
}
