using Vivarium.Templates.Import;

namespace Vivarium.Templates.Images;

/// <summary>Between the configuration of an image and the metadata of a template.</summary>
internal static class ImageMetadata
{
    private const int MostItems = 2000;
    private const string DescriptionLabel = "org.opencontainers.image.description";
    private const int LongestDescription = 200;

    /// <summary>What a template made from the image says of itself.</summary>
    internal static TemplateMetadata From(OciImageConfig config, ImportNotes notes)
    {
        var run = config.Config ?? new OciRunConfig();
        if (Math.Max(Math.Max(run.Env?.Count ?? 0, run.Labels?.Count ?? 0), Math.Max(run.ExposedPorts?.Count ?? 0, (run.Entrypoint?.Count ?? 0) + (run.Cmd?.Count ?? 0))) > MostItems)
        {
            throw ImportErrors.Malformed($"its configuration has a list of more than {MostItems} items");
        }

        var metadata = new TemplateMetadata
        {
            Description = Description(run),
            User = One(run.User, "user"),
            Workdir = Workdir(run.WorkingDir, notes),
            Platform = new Platform(config.Os ?? "linux", config.Architecture ?? "amd64", config.Variant).ToString(),
            Entrypoint = Words(run.Entrypoint),
            Command = Words(run.Cmd),
            ExposedPorts = run.ExposedPorts is { Count: > 0 } ports ? [.. ports.Keys.Select(port => One(port, "port")!)] : null,
        };
        foreach (var (key, value) in run.Labels ?? [])
        {
            (metadata.Labels)[Text(key)] = Text(value ?? "");
        }

        foreach (var pair in (run.Env ?? []).OfType<string>())
        {
            var equals = pair.IndexOf('=');
            if (equals <= 0 || pair.Contains('\0'))
            {
                notes.Say($"the environment entry {ImportErrors.Quote(pair)} is no NAME=VALUE and is ignored");
                continue;
            }

            metadata.Env[pair[..equals]] = pair[(equals + 1)..];
        }

        return metadata;
    }

    /// <summary>The configuration of an image of a template; nothing in it depends on the time or the machine.</summary>
    internal static OciImageConfig To(TemplateMetadata metadata, BlobDigest diffId)
    {
        var platform = Platform.Parse(metadata.Platform);
        return new OciImageConfig
        {
            Architecture = platform.Architecture,
            Os = platform.Os,
            Variant = platform.Variant,
            Config = new OciRunConfig
            {
                User = metadata.User,
                WorkingDir = metadata.Workdir,
                Env = metadata.Env.Count == 0 ? null : [.. metadata.Env.Select(pair => $"{pair.Key}={pair.Value}")],
                Entrypoint = metadata.Entrypoint is { } entrypoint ? [.. entrypoint] : null,
                Cmd = metadata.Command is { } command ? [.. command] : null,
                Labels = metadata.Labels.Count == 0 ? null : new SortedDictionary<string, string?>(metadata.Labels.ToDictionary(pair => pair.Key, pair => (string?)pair.Value), StringComparer.Ordinal),
                ExposedPorts = metadata.ExposedPorts is { } ports
                    ? new SortedDictionary<string, EmptyObject?>(ports.ToDictionary(port => port, _ => (EmptyObject?)new EmptyObject()), StringComparer.Ordinal)
                    : null,
            },
            Rootfs = new OciRootFs { Type = "layers", DiffIds = [diffId.ToString()] },
        };
    }

    private static string? Description(OciRunConfig run) => run.Labels?.GetValueOrDefault(DescriptionLabel) is { Length: > 0 } text
        ? new string([.. text.Take(LongestDescription).Select(c => char.IsControl(c) ? ' ' : c)])
        : null;

    private static string? Workdir(string? text, ImportNotes notes)
    {
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        if (text.StartsWith('/') && !text.Split('/').Contains(".."))
        {
            return One(text, "working directory");
        }

        notes.Say($"the working directory {ImportErrors.Quote(text)} is not absolute and is ignored");
        return null;
    }

    private static IReadOnlyList<string>? Words(List<string?>? words) => words is { Count: > 0 } ? [.. words.Select(word => Text(word ?? ""))] : null;

    private static string? One(string? text, string what) => string.IsNullOrEmpty(text) ? null
        : text.Any(char.IsControl) || text.Length > 4096 ? throw ImportErrors.Malformed($"its {what} {ImportErrors.Quote(text)} has control characters or is too long")
        : text;

    private static string Text(string text) => text.Contains('\0') ? throw ImportErrors.Malformed("its configuration has a zero byte in a text") : text;
}
