using Vivarium.Configuration.Toml;
using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Schema;

/// <summary>A duration of at least a second, or empty for none; a bare integer counts seconds.</summary>
internal sealed class DurationType : ConfigType
{
    public override object? Read(TomlNode node) =>
        node is TomlScalar { Value: long seconds }
            ? Parse(seconds.ToString(System.Globalization.CultureInfo.InvariantCulture))
            : Parse(Text(node, "a duration such as \"90s\""));

    public override object? Parse(string text)
    {
        if (text.Length == 0)
        {
            return null;
        }

        if (!DurationText.TryParse(text, out var duration))
        {
            throw new FormatException($"must be a duration such as \"90s\" or \"2h30m\" of at most 3650 days, not {Quote(text)}");
        }

        return duration >= TimeSpan.FromSeconds(1) ? duration : throw new FormatException($"must be at least 1s, not {Quote(text)}; \"\" means no limit");
    }

    public override string Format(object? value) => Quote(value is TimeSpan duration ? DurationText.Format(duration) : "");
}
