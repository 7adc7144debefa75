namespace Vivarium.Configuration.Toml;

/// <summary>A place in the text, both counted from 1; columns count UTF-16 units.</summary>
public readonly record struct TomlPosition(int Line, int Column);
