namespace Vivarium.Templates;

/// <summary>A stored template. Its content is the read-only volume <see cref="VolumeKey"/>.</summary>
public sealed record TemplateRecord
{
    /// <summary>Start of every digest.</summary>
    public const string DigestPrefix = "sha256:";

    /// <summary><c>sha256:</c> + 64 hex digits over content and metadata.</summary>
    public required string Digest { get; init; }

    /// <summary>Name it was built under; the name may point to a newer one by now.</summary>
    public required string BuiltAs { get; init; }

    /// <summary>Recipe that made it.</summary>
    public required string Recipe { get; init; }

    /// <summary>What it says of itself.</summary>
    public required TemplateMetadata Metadata { get; init; }

    /// <summary>Bytes of its files.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Files, directories, links.</summary>
    public required long Entries { get; init; }

    /// <summary>When it was built, milliseconds since the Unix epoch.</summary>
    public required long CreatedUnixMs { get; init; }

    /// <summary>Key of its volume in the store.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string VolumeKey => Digest[DigestPrefix.Length..];
}
