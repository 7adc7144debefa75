namespace Vivarium.Configuration;

/// <summary>One key as it is in force.</summary>
/// <param name="Key">Dotted key, for example <c>defaults.memory</c>.</param>
/// <param name="Value">Value as TOML text.</param>
/// <param name="Source"><c>default</c>, <c>path:line</c>, <c>environment</c>, <c>flag</c>, or the limit a default was lowered to.</param>
/// <param name="Description">What it means, one sentence.</param>
public sealed record ConfigSetting(string Key, string Value, string Source, string Description);
