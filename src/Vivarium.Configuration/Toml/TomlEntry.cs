namespace Vivarium.Configuration.Toml;

/// <summary>One key of a table with its value and the place of the key.</summary>
public sealed record TomlEntry(string Key, TomlNode Value, TomlPosition KeyPosition);
