using Vivarium.Configuration.Toml;

namespace Vivarium.Configuration.Schema;

/// <summary>How the value of a key is read, checked and written.</summary>
internal abstract class ConfigType
{
    /// <summary>Reads a TOML value. The message of <see cref="FormatException"/> completes "KEY: …".</summary>
    public abstract object? Read(TomlNode node);

    /// <summary>Reads the text of an environment variable or flag.</summary>
    public abstract object? Parse(string text);

    /// <summary>Writes the value as TOML.</summary>
    public abstract string Format(object? value);

    /// <summary>A TOML basic string.</summary>
    protected static string Quote(string text)
    {
        var quoted = new System.Text.StringBuilder("\"");
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' or '\\' => quoted.Append('\\').Append(c),
                '\n' => quoted.Append("\\n"),
                '\t' => quoted.Append("\\t"),
                < ' ' or '\u007f' => quoted.Append("\\u").Append(((int)c).ToString("X4", System.Globalization.CultureInfo.InvariantCulture)),
                _ => quoted.Append(c),
            };
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>The text of a string node.</summary>
    protected static string Text(TomlNode node, string expected) =>
        node is TomlScalar { Value: string text } ? text : throw new FormatException($"must be {expected}, not {node.Describe()}");
}
