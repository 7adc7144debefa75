namespace Vivarium.Configuration.Toml;

/// <summary>One thing wrong with the text.</summary>
public sealed record TomlError(TomlPosition Position, string Message);
