namespace Vivarium.Configuration.Toml;

/// <summary>A value that is neither array nor table; <see cref="TomlKind"/> says which .NET type <see cref="Value"/> has.</summary>
public sealed class TomlScalar(TomlKind kind, object value, TomlPosition position) : TomlNode(kind, position)
{
    /// <summary>The value.</summary>
    public object Value { get; } = value;
}
