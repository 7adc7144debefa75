using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Templates.Import;

namespace Vivarium.Templates.Images;

/// <summary>Reads the JSON of an image: bounded, and checked against its digest and size where there are any.</summary>
internal sealed class ImageDocuments(IImageFiles files, CancellationToken cancellationToken)
{
    /// <summary>A file by its path; null when it is not there.</summary>
    internal T? Find<T>(string path, JsonTypeInfo<T> type)
        where T : class => files.Open(path) is { } stream ? Parse(Bytes(stream, null, null, path), type, path) : null;

    /// <summary>A file that must be there, with the digest it must have, if known.</summary>
    internal T Get<T>(string path, BlobDigest? digest, JsonTypeInfo<T> type)
        where T : class => Parse(
            Bytes(files.Open(path) ?? throw ImportErrors.Malformed($"it has no file {ImportErrors.Quote(path)}, which it refers to"), digest, null, path), type, path);

    /// <summary>The blob a descriptor points at.</summary>
    internal T Get<T>(OciDescriptor descriptor, JsonTypeInfo<T> type, string what)
        where T : class
    {
        var digest = BlobDigest.Parse(descriptor.Digest, what);
        var stream = files.Open(digest.LayoutPath) ?? throw ImportErrors.Malformed($"the blob {digest} ({what}) is not in it");
        return Parse(Bytes(stream, digest, descriptor.Size, $"{what} {digest}"), type, what);
    }

    private byte[] Bytes(Stream stream, BlobDigest? digest, long? size, string what)
    {
        using var verified = new VerifyingStream(stream, digest, size, what);
        var bytes = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (verified.Read(buffer) is var read and > 0)
        {
            bytes.Write(buffer, 0, read);
            if (bytes.Length > ImportLimits.MaxJsonBytes)
            {
                throw ImportErrors.Malformed($"{what} is longer than {ImportLimits.MaxJsonBytes} bytes");
            }
        }

        verified.Complete(cancellationToken);
        return bytes.ToArray();
    }

    private static T Parse<T>(byte[] bytes, JsonTypeInfo<T> type, string what)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(bytes, type) ?? throw ImportErrors.Malformed($"{what} is empty");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw ImportErrors.Malformed($"{what} is no JSON of that kind", e);
        }
    }
}
