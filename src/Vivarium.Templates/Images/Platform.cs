using Vivarium.Wire.Errors;

namespace Vivarium.Templates.Images;

/// <summary><c>os/architecture[/variant]</c>.</summary>
internal sealed record Platform(string Os, string Architecture, string? Variant)
{
    internal static Platform Default { get; } = new("linux", "amd64", null);

    public override string ToString() => Variant is null ? $"{Os}/{Architecture}" : $"{Os}/{Architecture}/{Variant}";

    internal static Platform Parse(string? text)
    {
        if (text is null)
        {
            return Default;
        }

        var parts = text.Split('/');
        return parts.Length is 2 or 3 && parts.All(part => part.Length is > 0 and <= 32 && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
            ? new Platform(parts[0], parts[1], parts.Length == 3 ? parts[2] : null)
            : throw new VivariumException(ErrorCode.InvalidArgument, $"'{text}' is no platform", "write OS/ARCHITECTURE, for example linux/amd64 or linux/arm/v7", "bad_platform");
    }

    /// <summary>Whether an image of that platform is wanted; a variant only counts when one was asked for.</summary>
    internal bool Accepts(string? os, string? architecture, string? variant) => os == Os && architecture == Architecture && (Variant is null || variant == Variant);
}
