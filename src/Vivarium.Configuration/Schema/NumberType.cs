using System.Globalization;
using Vivarium.Configuration.Toml;

namespace Vivarium.Configuration.Schema;

/// <summary>A number, whole or not, within a range; an optional one may be empty.</summary>
internal sealed class NumberType(double min, double max, bool optional = false) : ConfigType
{
    public override object? Read(TomlNode node) => node switch
    {
        TomlScalar { Value: long value } => Check(value),
        TomlScalar { Value: double value } => Check(value),
        TomlScalar { Value: string { Length: 0 } } when optional => null,
        _ => throw new FormatException($"must be a number, not {node.Describe()}"),
    };

    public override object? Parse(string text)
    {
        if (optional && text.Length == 0)
        {
            return null;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            ? Check(value)
            : throw new FormatException($"must be a number, not {Quote(text)}");
    }

    public override string Format(object? value) => value is double number ? number.ToString("R", CultureInfo.InvariantCulture) : Quote("");

    // Written so that NaN is refused.
    private double Check(double value) => value >= min && value <= max
        ? value
        : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"must be {min} to {max}, not {value}"));
}
