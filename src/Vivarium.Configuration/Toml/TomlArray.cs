namespace Vivarium.Configuration.Toml;

/// <summary>An array; one made by <c>[[header]]</c> lines holds only tables.</summary>
public sealed class TomlArray(TomlPosition position) : TomlNode(TomlKind.Array, position)
{
    private readonly List<TomlNode> _items = [];

    /// <summary>The items in order.</summary>
    public IReadOnlyList<TomlNode> Items => _items;

    /// <summary>Whether <c>[[header]]</c> lines made it; only such an array can grow.</summary>
    internal bool OfTables { get; init; }

    internal void Add(TomlNode item) => _items.Add(item);
}
