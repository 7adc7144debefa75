using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Tar;
using Vivarium.Templates.Images;
using Vivarium.Templates.Import;

namespace Vivarium.Templates.Export;

/// <summary>
/// Writes a template as an archive. The bytes depend on the template and the name it is exported under alone: entries in the order of their names, no compression,
/// no date of today.
/// </summary>
internal sealed class TemplateExport(TemplateRecord record, string root, string? name, ImportProgress progress, CancellationToken cancellationToken)
{
    private const string LayerType = "application/vnd.oci.image.layer.v1.tar";
    private const string ConfigType = "application/vnd.oci.image.config.v1+json";
    private const string ManifestType = "application/vnd.oci.image.manifest.v1+json";
    private const int BufferBytes = 256 * 1024;

    private long done;

    /// <summary>Writes it whole; blocks.</summary>
    internal void Write(string format, Stream target)
    {
        using var buffered = new BufferedStream(target, BufferBytes);
        switch (format)
        {
            case "tar":
                WriteTree(buffered, 0, 1);
                break;
            case "oci":
                WriteOci(new TarWriter(buffered));
                break;
            default:
                WriteDocker(new TarWriter(buffered));
                break;
        }

        buffered.Flush();
    }

    private void WriteOci(TarWriter archive)
    {
        var layer = Measure();
        var config = Json(ImageMetadata.To(record.Metadata, layer.Digest));
        var manifest = JsonSerializer.SerializeToUtf8Bytes(
            new OciDocument
            {
                SchemaVersion = 2,
                MediaType = ManifestType,
                Config = new OciDescriptor { MediaType = ConfigType, Digest = DigestOf(config).ToString(), Size = config.Length },
                Layers = [new OciDescriptor { MediaType = LayerType, Digest = layer.Digest.ToString(), Size = layer.Size }],
            },
            ImageJson.Default.OciDocument);
        var platform = Platform.Parse(record.Metadata.Platform);
        var index = JsonSerializer.SerializeToUtf8Bytes(
            new OciDocument
            {
                SchemaVersion = 2,
                Manifests =
                [
                    new OciDescriptor
                    {
                        MediaType = ManifestType,
                        Digest = DigestOf(manifest).ToString(),
                        Size = manifest.Length,
                        Platform = new OciPlatform { Architecture = platform.Architecture, Os = platform.Os, Variant = platform.Variant },
                        Annotations = name is null ? null : new SortedDictionary<string, string?>(StringComparer.Ordinal) { ["org.opencontainers.image.ref.name"] = name },
                    },
                ],
            },
            ImageJson.Default.OciDocument);
        Put(archive, "oci-layout", """{"imageLayoutVersion":"1.0.0"}"""u8.ToArray());
        Put(archive, "index.json", index);
        PutDirectory(archive, "blobs");
        PutDirectory(archive, "blobs/sha256");
        Put(archive, DigestOf(config).LayoutPath, config);
        Put(archive, DigestOf(manifest).LayoutPath, manifest);
        PutLayer(archive, layer.Digest.LayoutPath, layer);
        archive.Finish();
    }

    private void WriteDocker(TarWriter archive)
    {
        var layer = Measure();
        var config = Json(ImageMetadata.To(record.Metadata, layer.Digest));
        string configPath = $"{DigestOf(config).Hex}.json", layerPath = $"{layer.Digest.Hex}/layer.tar";
        var manifest = JsonSerializer.SerializeToUtf8Bytes(
            [new DockerImage { Config = configPath, RepoTags = name is null ? null : [$"{name}:latest"], Layers = [layerPath] }], ImageJson.Default.ListDockerImage);
        Put(archive, "manifest.json", manifest);
        Put(archive, configPath, config);
        PutDirectory(archive, layer.Digest.Hex);
        PutLayer(archive, layerPath, layer);
        archive.Finish();
    }

    private (BlobDigest Digest, long Size) Measure()
    {
        using var hashing = new HashingSink();
        using var buffered = new BufferedStream(hashing, BufferBytes);
        WriteTree(buffered, 0, 0.5);
        buffered.Flush();
        return (hashing.Digest(), hashing.Count);
    }

    private void PutLayer(TarWriter archive, string path, (BlobDigest Digest, long Size) layer)
    {
        archive.Add(new TarEntry { Name = path, Type = TarEntryType.File, Mode = 0x1A4, Size = layer.Size });
        using var hashing = new HashingSink(archive);
        using var buffered = new BufferedStream(hashing, BufferBytes);
        WriteTree(buffered, 0.5, 1);
        buffered.Flush();
        if (hashing.Count != layer.Size || hashing.Digest() != layer.Digest)
        {
            throw new InvalidDataException("the template changed while it was exported");
        }
    }

    /// <summary>The files, as one archive.</summary>
    private void WriteTree(Stream target, double from, double to)
    {
        var writer = new TarWriter(target);
        var buffer = new byte[BufferBytes];
        done = 0;
        new TreeEntries(new ImportNotes(), devices: true, cancellationToken).Walk(root, (entry, content) =>
        {
            writer.Add(entry);
            if (content is not null)
            {
                WriteContent(writer, content, entry.Size, buffer, from, to);
            }
        });
        writer.Finish();
    }

    private void WriteContent(TarWriter writer, SafeFileHandle content, long size, byte[] buffer, double from, double to)
    {
        for (long position = 0; position < size;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var read = RandomAccess.Read(content, buffer, position);
            if (read == 0)
            {
                break;
            }

            writer.Content(buffer.AsSpan(0, read));
            position += read;
            done += read;
            progress.Report("export", from + ((to - from) * Math.Min(1, (double)done / Math.Max(1, record.SizeBytes))), "writing files");
        }
    }

    private static byte[] Json(OciImageConfig config) => JsonSerializer.SerializeToUtf8Bytes(config, ImageJson.Default.OciImageConfig);

    private static BlobDigest DigestOf(byte[] bytes) => new("sha256", Convert.ToHexStringLower(SHA256.HashData(bytes)));

    private static void Put(TarWriter archive, string path, byte[] content)
    {
        archive.Add(new TarEntry { Name = path, Type = TarEntryType.File, Mode = 0x1A4, Size = content.Length });
        archive.Content(content);
    }

    private static void PutDirectory(TarWriter archive, string path) => archive.Add(new TarEntry { Name = path, Type = TarEntryType.Directory, Mode = 0x1ED });
}
