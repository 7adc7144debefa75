using Vivarium.Configuration.Toml;
using Vivarium.Configuration.Values;

namespace Vivarium.Configuration.Schema;

/// <summary>One of a few words.</summary>
internal sealed class ChoiceType(params string[] choices) : ConfigType
{
    public override object? Read(TomlNode node) => Parse(Text(node, "a string"));

    public override object? Parse(string text)
    {
        if (choices.Contains(text))
        {
            return text;
        }

        var hint = Suggestion.Nearest(text, choices) is { } near ? $"; did you mean \"{near}\"?" : "";
        throw new FormatException($"must be one of {string.Join(", ", choices)}, not {Quote(text)}{hint}");
    }

    public override string Format(object? value) => Quote((string)value!);
}
