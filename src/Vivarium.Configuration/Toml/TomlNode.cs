namespace Vivarium.Configuration.Toml;

/// <summary>A value with the place it was written at.</summary>
public abstract class TomlNode(TomlKind kind, TomlPosition position)
{
    /// <summary>What it is.</summary>
    public TomlKind Kind { get; } = kind;

    /// <summary>Where it begins.</summary>
    public TomlPosition Position { get; } = position;

    /// <summary>The kind in words, with its article, for messages.</summary>
    public string Describe() => Kind switch
    {
        TomlKind.String => "a string",
        TomlKind.Integer => "an integer",
        TomlKind.Float => "a float",
        TomlKind.Boolean => "a boolean",
        TomlKind.Array => "an array",
        TomlKind.Table => "a table",
        _ => "a date or time",
    };
}
