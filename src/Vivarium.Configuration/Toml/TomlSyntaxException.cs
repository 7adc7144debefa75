namespace Vivarium.Configuration.Toml;

/// <summary>Leaves the statement being read; never leaves <see cref="TomlReader"/>.</summary>
internal sealed class TomlSyntaxException(TomlPosition position, string message) : Exception(message)
{
    public TomlPosition Position { get; } = position;
}
