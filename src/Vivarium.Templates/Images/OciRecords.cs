using System.Text.Json.Serialization;

namespace Vivarium.Templates.Images;

/// <summary>An image index or manifest, as far as it is needed; which of both is told by what it has. Source: OCI image-spec, image-index.md and manifest.md.</summary>
internal sealed record OciDocument
{
    public int SchemaVersion { get; init; }

    public string? MediaType { get; init; }

    public List<OciDescriptor?>? Manifests { get; init; }

    public OciDescriptor? Config { get; init; }

    public List<OciDescriptor?>? Layers { get; init; }
}

/// <summary>Points at a blob. Source: OCI image-spec, descriptor.md.</summary>
internal sealed record OciDescriptor
{
    public string? MediaType { get; init; }

    public string? Digest { get; init; }

    public long? Size { get; init; }

    public OciPlatform? Platform { get; init; }

    public SortedDictionary<string, string?>? Annotations { get; init; }
}

/// <summary>What a manifest is for.</summary>
internal sealed record OciPlatform
{
    public string? Architecture { get; init; }

    public string? Os { get; init; }

    public string? Variant { get; init; }
}

/// <summary>The configuration of an image. Source: OCI image-spec, config.md.</summary>
internal sealed record OciImageConfig
{
    public string? Architecture { get; init; }

    public string? Os { get; init; }

    public string? Variant { get; init; }

    public OciRunConfig? Config { get; init; }

    public OciRootFs? Rootfs { get; init; }
}

/// <summary>How containers of an image run.</summary>
internal sealed record OciRunConfig
{
    [JsonPropertyName("User")]
    public string? User { get; init; }

    [JsonPropertyName("Env")]
    public List<string?>? Env { get; init; }

    [JsonPropertyName("Entrypoint")]
    public List<string?>? Entrypoint { get; init; }

    [JsonPropertyName("Cmd")]
    public List<string?>? Cmd { get; init; }

    [JsonPropertyName("WorkingDir")]
    public string? WorkingDir { get; init; }

    [JsonPropertyName("Labels")]
    public SortedDictionary<string, string?>? Labels { get; init; }

    [JsonPropertyName("ExposedPorts")]
    public SortedDictionary<string, EmptyObject?>? ExposedPorts { get; init; }
}

/// <summary><c>{}</c>.</summary>
internal sealed record EmptyObject;

/// <summary>Digests of the layers, uncompressed.</summary>
internal sealed record OciRootFs
{
    public string? Type { get; init; }

    [JsonPropertyName("diff_ids")]
    public List<string?>? DiffIds { get; init; }
}

/// <summary>One image of a <c>docker save</c> file: an element of its manifest.json.</summary>
internal sealed record DockerImage
{
    [JsonPropertyName("Config")]
    public string? Config { get; init; }

    [JsonPropertyName("RepoTags")]
    public List<string?>? RepoTags { get; init; }

    [JsonPropertyName("Layers")]
    public List<string?>? Layers { get; init; }
}

/// <summary>The file <c>oci-layout</c>.</summary>
internal sealed record OciLayoutFile
{
    public string? ImageLayoutVersion { get; init; }
}

/// <summary>Images on disk and on the wire.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(OciDocument))]
[JsonSerializable(typeof(OciImageConfig))]
[JsonSerializable(typeof(OciLayoutFile))]
[JsonSerializable(typeof(List<DockerImage>))]
internal sealed partial class ImageJson : JsonSerializerContext;
