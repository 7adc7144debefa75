using Vivarium.Configuration.Toml;

namespace Vivarium.Configuration.Schema;

/// <summary>Any text that passes a check; the check returns what is wrong, or null.</summary>
internal sealed class TextType(Func<string, string?>? check = null) : ConfigType
{
    public override object? Read(TomlNode node) => Parse(Text(node, "a string"));

    public override object? Parse(string text) => check?.Invoke(text) is { } wrong ? throw new FormatException(wrong) : text;

    public override string Format(object? value) => Quote((string)value!);
}
