using System.Globalization;
using Vivarium.Configuration.Toml;

namespace Vivarium.Configuration.Schema;

/// <summary>A whole number within a range; an optional one may be empty.</summary>
internal sealed class IntegerType(int min, int max, bool optional = false) : ConfigType
{
    public override object? Read(TomlNode node) => node switch
    {
        TomlScalar { Value: long value } => Check(value),
        TomlScalar { Value: string { Length: 0 } } when optional => null,
        _ => throw new FormatException($"must be an integer, not {node.Describe()}"),
    };

    public override object? Parse(string text)
    {
        if (optional && text.Length == 0)
        {
            return null;
        }

        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            ? Check(value)
            : throw new FormatException($"must be an integer, not {Quote(text)}");
    }

    public override string Format(object? value) => value is int number ? number.ToString(CultureInfo.InvariantCulture) : Quote("");

    private int Check(long value) =>
        value >= min && value <= max ? (int)value : throw new FormatException($"must be {min} to {max}, not {value}");
}
