using Vivarium.Templates.Import;
using Vivarium.Wire.Errors;

namespace Vivarium.Templates.Images;

/// <summary>A layer: where it lies and what it must be.</summary>
/// <param name="Path">File of <see cref="IImageFiles"/>.</param>
/// <param name="Digest">Of the file, null when nobody says.</param>
/// <param name="Size">Of the file, null when nobody says.</param>
/// <param name="DiffId">Of the content, uncompressed.</param>
internal sealed record ImageLayer(string Path, BlobDigest? Digest, long? Size, BlobDigest DiffId);

/// <summary>The one image that is imported.</summary>
internal sealed record SelectedImage(OciImageConfig Config, IReadOnlyList<ImageLayer> Layers);

/// <summary>Finds the image that is wanted among those stored together: by name and by platform.</summary>
internal sealed class ImageSelection(IImageFiles files, string? image, Platform platform, CancellationToken cancellationToken)
{
    private const int DeepestIndex = 4;
    private const int MostDocuments = 256;
    private const string RefName = "org.opencontainers.image.ref.name";
    private static readonly string[] HubPrefixes = ["docker.io/library/", "docker.io/"];
    private const string FullName = "io.containerd.image.name";

    private readonly ImageDocuments documents = new(files, cancellationToken);
    private int read;

    /// <summary>Null when the files are no image at all.</summary>
    internal SelectedImage? Find()
    {
        if (documents.Find("oci-layout", ImageJson.Default.OciLayoutFile) is { } layout)
        {
            return layout.ImageLayoutVersion is { } version && version.StartsWith("1.", StringComparison.Ordinal)
                ? FromIndex(documents.Get("index.json", null, ImageJson.Default.OciDocument))
                : throw ImportErrors.Malformed($"its OCI layout has version {ImportErrors.Quote(layout.ImageLayoutVersion ?? "")}; 1.x is known");
        }

        return FromDocker();
    }

    private SelectedImage FromIndex(OciDocument index)
    {
        var tops = (index.Manifests ?? []).OfType<OciDescriptor>().ToList();
        var found = new List<(OciDescriptor Descriptor, OciDocument Manifest, OciImageConfig Config, string Name)>();
        var platforms = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var top in tops.Where(top => image is null || NamesOf(top).Contains(image)))
        {
            Collect(top, NamesOf(top).FirstOrDefault() ?? top.Digest ?? "", 0, found, platforms);
        }

        if (found.Count == 0)
        {
            throw image is not null && platforms.Count == 0 ? NoImage(tops.SelectMany(NamesOf)) : NoPlatform(platforms);
        }

        var distinct = found.DistinctBy(one => one.Descriptor.Digest).ToList();
        if (distinct.Count > 1 && platform.Variant is null && distinct.Where(one => one.Config.Variant is null && one.Descriptor.Platform?.Variant is null).ToList() is [var plain])
        {
            distinct = [plain]; // amd64 beside amd64/v3
        }

        return distinct.Count == 1 ? Image(distinct[0].Manifest, distinct[0].Config) : throw Several(distinct.Select(one => one.Name));
    }

    private void Collect(
        OciDescriptor descriptor, string name, int depth, List<(OciDescriptor, OciDocument, OciImageConfig, string)> found, SortedSet<string> platforms)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (depth > DeepestIndex || ++read > MostDocuments)
        {
            throw ImportErrors.Malformed("its index is too deep or too long");
        }

        if (descriptor.Platform is { Os: not null } said && !platform.Accepts(said.Os, said.Architecture, said.Variant))
        {
            if (said.Os != "unknown")
            {
                platforms.Add(Show(said.Os, said.Architecture, said.Variant)); // 'unknown' are attestations, no images
            }

            return;
        }

        var document = documents.Get(descriptor, ImageJson.Default.OciDocument, "the manifest");
        if (document.Manifests is { } inner)
        {
            if (document.Config is not null || document.Layers is not null)
            {
                throw ImportErrors.Malformed("a document in it is an index and a manifest at once");
            }

            foreach (var one in inner.OfType<OciDescriptor>())
            {
                Collect(one, name, depth + 1, found, platforms);
            }

            return;
        }

        var config = documents.Get(
            document.Config ?? throw ImportErrors.Malformed("its manifest has no configuration"), ImageJson.Default.OciImageConfig, "the configuration");
        if (config.Rootfs is null)
        {
            throw ImportErrors.Malformed("it is an artifact and no image of a root file system");
        }

        platforms.Add(Show(config.Os, config.Architecture, config.Variant));
        if (platform.Accepts(config.Os, config.Architecture, descriptor.Platform?.Variant ?? config.Variant))
        {
            found.Add((descriptor, document, config, name));
        }
    }

    private static SelectedImage Image(OciDocument manifest, OciImageConfig config)
    {
        var layers = manifest.Layers ?? [];
        var diffIds = DiffIds(config, layers.Count);
        return new SelectedImage(config, [.. layers.Select((layer, i) =>
        {
            if (layer is null || (layer.MediaType?.EndsWith("+encrypted", StringComparison.Ordinal) ?? false))
            {
                throw ImportErrors.Malformed("it has a layer that is encrypted or empty");
            }

            var digest = BlobDigest.Parse(layer.Digest, "a layer");
            return new ImageLayer(digest.LayoutPath, digest, layer.Size, diffIds[i]);
        })]);
    }

    private SelectedImage? FromDocker()
    {
        List<DockerImage>? images;
        try
        {
            images = documents.Find("manifest.json", ImageJson.Default.ListDockerImage);
        }
        catch (VivariumException)
        {
            return null; // a root file system may have a file of that name
        }

        if (images is null || images.Count == 0 || images.Any(one => one?.Config is null || one.Layers is null || !files.Has(one.Config)))
        {
            return null;
        }

        var wanted = images.Where(one => image is null || (one.RepoTags ?? []).Contains(image)).ToList();
        if (wanted.Count != 1)
        {
            var names = images.SelectMany(one => one.RepoTags ?? []).OfType<string>();
            throw wanted.Count == 0 ? NoImage(names) : Several(names);
        }

        var config = documents.Get(wanted[0].Config!, ConfigDigest(wanted[0].Config!), ImageJson.Default.OciImageConfig);
        if (!platform.Accepts(config.Os, config.Architecture, config.Variant))
        {
            throw NoPlatform([Show(config.Os, config.Architecture, config.Variant)]);
        }

        var diffIds = DiffIds(config, wanted[0].Layers!.Count);
        return new SelectedImage(
            config, [.. wanted[0].Layers!.Select((path, i) => new ImageLayer(path ?? throw ImportErrors.Malformed("its manifest.json names no file for a layer"), null, null, diffIds[i]))]);
    }

    /// <summary>The configuration is named after its digest: <c>&lt;hex&gt;.json</c>, <c>&lt;hex&gt;</c> or <c>blobs/sha256/&lt;hex&gt;</c>.</summary>
    private static BlobDigest? ConfigDigest(string path)
    {
        var name = path[(path.LastIndexOf('/') + 1)..];
        var hex = name.EndsWith(".json", StringComparison.Ordinal) ? name[..^5] : name;
        return hex.Length == 64 && hex.All(char.IsAsciiHexDigitLower) ? new BlobDigest("sha256", hex) : null;
    }

    private static List<BlobDigest> DiffIds(OciImageConfig config, int layers)
    {
        if (layers > ImportLimits.MaxLayers)
        {
            throw ImportErrors.Malformed($"it has {layers} layers; {ImportLimits.MaxLayers} is the most");
        }

        var diffIds = config.Rootfs?.DiffIds ?? [];
        return diffIds.Count == layers
            ? [.. diffIds.Select(id => BlobDigest.Parse(id, "a layer in the configuration"))]
            : throw ImportErrors.Malformed($"its manifest has {layers} layers and its configuration {diffIds.Count}");
    }

    private static IEnumerable<string> NamesOf(OciDescriptor top) => new[]
    {
        Familiar(top.Annotations?.GetValueOrDefault(FullName)), top.Annotations?.GetValueOrDefault(FullName), top.Annotations?.GetValueOrDefault(RefName), top.Digest,
    }.OfType<string>();

    /// <summary>A full name as users of docker type it: <c>docker.io/library/app:1.0</c> is <c>app:1.0</c>.</summary>
    private static string? Familiar(string? full) => Array.Find(HubPrefixes, prefix => full?.StartsWith(prefix, StringComparison.Ordinal) == true) is { } prefix ? full![prefix.Length..] : full;

    private static string Show(string? os, string? architecture, string? variant) => new Platform(os ?? "?", architecture ?? "?", variant).ToString();

    private VivariumException NoPlatform(IEnumerable<string> there) => new(
        ErrorCode.NotFound,
        $"the import is refused: there is no image for {platform} in it{(List(there) is { Length: > 0 } list ? $", only for {list}" : "")}",
        "--platform chooses another",
        "no_such_platform");

    private VivariumException NoImage(IEnumerable<string> names) => new(
        ErrorCode.NotFound,
        $"the import is refused: there is no image {ImportErrors.Quote(image ?? "")} in it",
        List(names) is { Length: > 0 } list ? $"there is: {list}" : "the images in it have no names",
        "no_such_image");

    private static VivariumException Several(IEnumerable<string> names) => new(
        ErrorCode.InvalidArgument, "the import is refused: there are several images in it", $"--image chooses one of: {List(names)}", "ambiguous");

    private static string List(IEnumerable<string> names) => string.Join(", ", names.Distinct().Take(20).Select(name => ImportErrors.Quote(name)[1..^1]));
}
