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

    /// <summary><c>os/architecture[/variant]</c> of an imported image.</summary>
    public string? Platform { get; init; }

    /// <summary>Program an imported image starts with; not run unless asked for.</summary>
    public IReadOnlyList<string>? Entrypoint { get; init; }

    /// <summary>Command, or arguments of the entrypoint, of an imported image; not run unless asked for.</summary>
    public IReadOnlyList<string>? Command { get; init; }

    /// <summary>Labels of an imported image.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Ports an imported image says it listens on, for example <c>80/tcp</c>; nothing is published by it.</summary>
    public IReadOnlyList<string>? ExposedPorts { get; init; }

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

/// <summary>Parameters of <c>template.import</c>.</summary>
public sealed record ImportParams
{
    /// <summary>
    /// Absolute path on the daemon's machine: a root directory, a tar archive (plain, gzip or zstd) of one, an OCI layout (directory or archive), or a file of
    /// <c>docker save</c>. An open file of a process may be named by <c>/proc/PID/fd/N</c>.
    /// </summary>
    public required string Path { get; init; }

    /// <summary>Name to give it.</summary>
    public required string Name { get; init; }

    /// <summary>Which image, when several are stored together: its name or digest there.</summary>
    public string? Image { get; init; }

    /// <summary><c>os/architecture[/variant]</c>; default <c>linux/amd64</c>.</summary>
    public string? Platform { get; init; }

    /// <summary>Lets a name that is taken mean the new template.</summary>
    public bool Replace { get; init; }

    /// <summary>Default user, instead of the image's.</summary>
    public string? User { get; init; }

    /// <summary>Default working directory, instead of the image's.</summary>
    public string? Workdir { get; init; }

    /// <summary>Environment, over the image's.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }
}

/// <summary>Answer to <c>template.import</c>.</summary>
public sealed record ImportReply
{
    /// <summary>The template.</summary>
    public required TemplateInfo Template { get; init; }

    /// <summary>What was left out or ignored, a sentence each.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }
}

/// <summary>Parameters of <c>template.export</c>.</summary>
public sealed record ExportParams
{
    /// <summary>Name or digest.</summary>
    public required string Ref { get; init; }

    /// <summary><c>tar</c> (files only), <c>oci</c> (an OCI layout as an archive) or <c>docker</c> (for <c>docker load</c>).</summary>
    public required string Format { get; init; }

    /// <summary>
    /// Where to write, absolute on the daemon's machine: a file that does not exist yet (mode 0600, removed again on failure), or an open file or pipe of a
    /// process as <c>/proc/PID/fd/N</c>.
    /// </summary>
    public required string Path { get; init; }
}

/// <summary>Answer to <c>template.export</c>.</summary>
public sealed record ExportReply
{
    /// <summary>Digest of the template.</summary>
    public required string Digest { get; init; }

    /// <summary>Bytes written.</summary>
    public required long Bytes { get; init; }
}

/// <summary>Parameters of <c>template.tag</c>.</summary>
public sealed record TagParams
{
    /// <summary>Name or digest.</summary>
    public required string Ref { get; init; }

    /// <summary>Further name.</summary>
    public required string Name { get; init; }

    /// <summary>Lets a name that is taken mean this template.</summary>
    public bool Replace { get; init; }
}
