namespace Vivarium.Configuration.Toml;

/// <summary>What was read, and what could not be.</summary>
/// <param name="Root">The top table; with errors it holds what was understood.</param>
/// <param name="Errors">Errors in the order of the text; empty when the text is valid TOML.</param>
public sealed record TomlDocument(TomlTable Root, IReadOnlyList<TomlError> Errors);
