namespace Vivarium.Wire.Host;

/// <summary>A template.</summary>
public sealed record TemplateInfo
{
    /// <summary>Name; a template may be known only by its digest.</summary>
    public string? Name { get; init; }

    /// <summary><c>sha256:</c> + 64 hex digits, over content and metadata.</summary>
    public required string Digest { get; init; }

    /// <summary>What it is, one sentence.</summary>
    public string? Description { get; init; }

    /// <summary>Bytes on disk.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Files and directories in it.</summary>
    public long Entries { get; init; }

    /// <summary>Milliseconds since the Unix epoch.</summary>
    public required long CreatedUnixMs { get; init; }

    /// <summary>Sandboxes and snapshots made from it.</summary>
    public int References { get; init; }

    /// <summary>Default user.</summary>
    public string? User { get; init; }

    /// <summary>Default working directory.</summary>
    public string? Workdir { get; init; }

    /// <summary>Default environment.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary><c>ready</c>, <c>building</c>, or <c>available</c>: built in and made on first use.</summary>
    public required string Status { get; init; }
}

/// <summary>Answer to <c>template.list</c>.</summary>
public sealed record TemplateList
{
    /// <summary>The templates.</summary>
    public required IReadOnlyList<TemplateInfo> Templates { get; init; }
}

/// <summary>Parameters of <c>template.build</c>.</summary>
public sealed record BuildParams
{
    /// <summary>Built-in recipe: <c>tiny</c> or <c>base</c>.</summary>
    public required string Recipe { get; init; }

    /// <summary>Name to give it; default the recipe's.</summary>
    public string? Name { get; init; }

    /// <summary>Build even when it exists; the name then points to the new digest.</summary>
    public bool Rebuild { get; init; }
}

/// <summary>Parameters of <c>template.remove</c>.</summary>
public sealed record RemoveTemplateParams
{
    /// <summary>Name or digest.</summary>
    public required string Ref { get; init; }
}
