using System.Buffers;
using Vivarium.Wire.Errors;

namespace Vivarium.Templates.Store;

/// <summary>Names and digests in what users type.</summary>
internal static class TemplateReference
{
    private const int DigestHexDigits = 64;
    private const int ShortestPrefix = 6;
    private const int LongestName = 63;
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    internal static bool IsDigest(string text) =>
        text.Length == TemplateRecord.DigestPrefix.Length + DigestHexDigits && text.StartsWith(TemplateRecord.DigestPrefix, StringComparison.Ordinal)
        && IsHex(text.AsSpan(TemplateRecord.DigestPrefix.Length));

    /// <summary>A DNS label.</summary>
    internal static bool IsName(string text) =>
        text.Length is > 0 and <= LongestName && text[0] != '-' && text[^1] != '-'
        && text.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-');

    /// <summary>Finds by name first, then by digest or its start.</summary>
    internal static TemplateRecord? Find(TemplateRecords records, string reference)
    {
        if (records.ByName(reference) is { } named)
        {
            return named;
        }

        if (reference.IndexOf('@') is var at && at >= 0)
        {
            // name@sha256:…: the digest decides, whatever the name means by now.
            return IsName(reference[..at]) && IsDigest(reference[(at + 1)..]) ? records.ByDigest(reference[(at + 1)..]) : null;
        }

        var hex = reference.StartsWith(TemplateRecord.DigestPrefix, StringComparison.Ordinal) ? reference[TemplateRecord.DigestPrefix.Length..] : reference;
        if (hex.Length is < ShortestPrefix or > DigestHexDigits || !IsHex(hex))
        {
            return null;
        }

        var matches = records.All().Where(record => record.VolumeKey.StartsWith(hex, StringComparison.Ordinal)).ToList();
        return matches.Count switch
        {
            0 => null,
            1 => matches[0],
            _ => throw new VivariumException(
                ErrorCode.InvalidArgument, $"template '{reference}' is ambiguous: {matches.Count} digests begin so", "give more digits", "ambiguous"),
        };
    }

    private static bool IsHex(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(HexDigits);
}
