namespace Vivarium.Configuration.Schema;

/// <summary>One key: its type, its meaning, and where it sits in the configuration.</summary>
internal sealed record ConfigKey(
    string Section,
    string Name,
    ConfigType Type,
    string Description,
    Func<VivariumConfig, object?> Get,
    Func<VivariumConfig, object?, VivariumConfig> With)
{
    public string Dotted { get; } = $"{Section}.{Name}";

    public string Variable { get; } = $"{ConfigSchema.VariablePrefix}{Section.ToUpperInvariant()}_{Name.ToUpperInvariant()}";
}
