using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Sections;

/// <summary><c>[templates]</c>.</summary>
public sealed record TemplatesConfig
{
    /// <summary>Debian mirror used to build templates; empty: the host's own.</summary>
    public string Mirror { get; init; } = "";

    /// <summary>PEM file of extra certificate authorities put into templates; empty: none.</summary>
    public string CaCertificates { get; init; } = "";

    /// <summary>Directory of built templates as archives, filled and used by builds; empty: none. For machines that test with many state directories.</summary>
    public string Cache { get; init; } = "";

    /// <summary>Bytes an import may unpack to.</summary>
    public ByteSize ImportMaxBytes { get; init; } = ByteSize.FromGiB(64);

    /// <summary>Files, directories and links an import may have.</summary>
    public int ImportMaxEntries { get; init; } = 2_000_000;
}
