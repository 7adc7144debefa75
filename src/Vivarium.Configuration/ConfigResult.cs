namespace Vivarium.Configuration;

/// <summary>What reading gave.</summary>
public sealed record ConfigResult(VivariumConfig Config, IReadOnlyList<ConfigError> Errors);
