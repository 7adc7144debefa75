using System.Security.Cryptography;
using Vivarium.Templates.Import;

namespace Vivarium.Templates.Images;

/// <summary>Digest of a blob: <c>sha256:</c> or <c>sha512:</c> and lower-case hex digits. Source: OCI image-spec, descriptor.md.</summary>
internal readonly record struct BlobDigest(string Algorithm, string Hex)
{
    /// <summary>Where an OCI layout keeps it.</summary>
    internal string LayoutPath => $"blobs/{Algorithm}/{Hex}";

    public override string ToString() => $"{Algorithm}:{Hex}";

    internal static BlobDigest Parse(string? text, string what)
    {
        var colon = text?.IndexOf(':') ?? -1;
        if (colon > 0 && text![..colon] is var algorithm && text[(colon + 1)..] is var hex
            && hex.Length == algorithm switch { "sha256" => 64, "sha512" => 128, _ => -1 }
            && hex.All(c => c is (>= '0' and <= '9') or (>= 'a' and <= 'f')))
        {
            return new BlobDigest(algorithm, hex);
        }

        throw ImportErrors.Malformed($"{what} has the digest {ImportErrors.Quote(text ?? "")}, which is no sha256 or sha512");
    }

    internal IncrementalHash NewHash() => IncrementalHash.CreateHash(Algorithm == "sha512" ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256);
}
