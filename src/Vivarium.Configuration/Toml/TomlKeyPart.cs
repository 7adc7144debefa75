namespace Vivarium.Configuration.Toml;

/// <summary>One part of a dotted key.</summary>
internal readonly record struct TomlKeyPart(string Name, TomlPosition Position);
