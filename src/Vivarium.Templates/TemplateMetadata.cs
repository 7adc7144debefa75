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

    /// <summary><c>os/architecture[/variant]</c> of an imported image; null: of this machine. No part of the digest: the programs in it say the same.</summary>
    public string? Platform { get; init; }

    /// <summary>Program an imported image starts with. Not run unless asked for.</summary>
    public IReadOnlyList<string>? Entrypoint { get; init; }

    /// <summary>Command, or arguments of <see cref="Entrypoint"/>, of an imported image. Not run unless asked for.</summary>
    public IReadOnlyList<string>? Command { get; init; }

    /// <summary>Labels of an imported image.</summary>
    public SortedDictionary<string, string> Labels { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Ports an imported image says it listens on, for example <c>80/tcp</c>. Nothing is published by it.</summary>
    public IReadOnlyList<string>? ExposedPorts { get; init; }
}
