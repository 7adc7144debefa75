namespace Vivarium.Templates;

/// <summary>What a template says of itself; part of its digest, but for the description.</summary>
public sealed record TemplateMetadata
{
    /// <summary>One sentence.</summary>
    public string? Description { get; init; }

    /// <summary>User commands run as; null: root.</summary>
    public string? User { get; init; }

    /// <summary>Directory commands start in; null: the user's home.</summary>
    public string? Workdir { get; init; }

    /// <summary>Environment of every command.</summary>
    public SortedDictionary<string, string> Env { get; init; } = new(StringComparer.Ordinal);
}
