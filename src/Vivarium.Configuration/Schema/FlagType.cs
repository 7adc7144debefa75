using Vivarium.Configuration.Toml;

namespace Vivarium.Configuration.Schema;

/// <summary>True or false.</summary>
internal sealed class FlagType : ConfigType
{
    public override object? Read(TomlNode node) =>
        node is TomlScalar { Value: bool value } ? value : throw new FormatException($"must be true or false, not {node.Describe()}");

    public override object? Parse(string text) => text switch
    {
        "true" or "1" or "yes" or "on" => true,
        "false" or "0" or "no" or "off" => false,
        _ => throw new FormatException($"must be true or false, not {Quote(text)}"),
    };

    public override string Format(object? value) => (bool)value! ? "true" : "false";
}
