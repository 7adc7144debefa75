using System.Globalization;
using Vivarium.Configuration.Values;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Parsing;

/// <summary>Texts of options to values; errors name the option and what it wants.</summary>
internal static class Values
{
    public static long? Size(string? text, string option) => text is null ? null
        : ByteSize.TryParse(text, out var size) ? size.Bytes
        : throw Bad(option, text, "a size such as 512MiB or 1.5GiB");

    public static long? Duration(string? text, string option) => text is null ? null
        : DurationText.TryParse(text, out var duration) ? (long)duration.TotalMilliseconds
        : throw Bad(option, text, "a duration such as 90s or 2h30m");

    public static double? Number(string? text, string option) => text is null ? null
        : double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) && value > 0 && value <= 1024 ? value
        : throw Bad(option, text, "a number above 0");

    public static int? Integer(string? text, string option, int min, int max) => text is null ? null
        : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max ? value
        : throw Bad(option, text, $"a whole number from {min} to {max}");

    public static int Pid(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && pid > 0
        ? pid
        : throw Invocation.Usage($"'{text}' is not a process id", "'viv ps SANDBOX' lists them");

    public static string? OneOf(string? text, string option, params string[] choices)
    {
        if (text is null || choices.Contains(text))
        {
            return text;
        }

        var near = Suggestion.Nearest(text, choices) is { } word ? $"did you mean '{word}'?" : null;
        throw Invocation.Usage($"{option} must be one of {string.Join(", ", choices)}, not '{text}'", near);
    }

    /// <summary>Words of the form KEY=VALUE; the last of a key counts.</summary>
    public static Dictionary<string, string>? Pairs(string[]? words, string option)
    {
        if (words is not { Length: > 0 })
        {
            return null;
        }

        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var word in words)
        {
            var equals = word.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
            {
                throw Bad(option, word, "KEY=VALUE");
            }

            pairs[word[..equals]] = word[(equals + 1)..];
        }

        return pairs;
    }

    public static VivariumException Bad(string option, string text, string wanted) => Invocation.Usage($"{option} must be {wanted}, not '{text}'");
}
