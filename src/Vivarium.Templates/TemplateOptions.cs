using Vivarium.Templates.Import;

namespace Vivarium.Templates;

/// <summary>What the configuration says of templates.</summary>
public sealed record TemplateOptions
{
    /// <summary>State directory: records lie in <c>templates/</c>, downloaded packages in <c>cache/apt/</c>.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Debian mirror to build from (URI); empty: the Debian sources of this host.</summary>
    public string Mirror { get; init; } = "";

    /// <summary>PEM files, separated by colons, of certificate authorities that templates trust besides their own; empty: none.</summary>
    public string CaCertificates { get; init; } = "";

    /// <summary>Directory of built templates as archives, filled by builds and used by later ones of the same recipe and sources; empty: none. For machines that test.</summary>
    public string CacheDirectory { get; init; } = "";

    /// <summary>How much an import may be.</summary>
    public ImportLimits ImportLimits { get; init; } = ImportLimits.Default;

    internal string SpoolDirectory => Path.Combine(StateDirectory, "cache", "import");

    internal string RecordsDirectory => Path.Combine(StateDirectory, "templates");

    internal string PackageCache => Path.Combine(StateDirectory, "cache", "apt");

    /// <summary>The extra certificate authorities, null when none are configured.</summary>
    internal string? ReadAuthorities() => HostAuthorities.Read(CaCertificates);
}
