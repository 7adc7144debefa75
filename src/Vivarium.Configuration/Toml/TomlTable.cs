using System.Diagnostics.CodeAnalysis;

namespace Vivarium.Configuration.Toml;

/// <summary>A table; entries keep the order of the text.</summary>
public sealed class TomlTable(TomlPosition position) : TomlNode(TomlKind.Table, position)
{
    private readonly Dictionary<string, TomlNode> _byKey = new(StringComparer.Ordinal);
    private readonly List<TomlEntry> _entries = [];

    /// <summary>How a table came to be, which decides what may still be added to it.</summary>
    internal enum Origin
    {
        /// <summary>Only named on the way to a deeper header; its own header may still come, once.</summary>
        Implicit,

        /// <summary>By its own header.</summary>
        Header,

        /// <summary>By a dotted key; only dotted keys of the same section add to it.</summary>
        Dotted,

        /// <summary>Inline; complete as written.</summary>
        Inline,
    }

    /// <summary>The entries in order.</summary>
    public IReadOnlyList<TomlEntry> Entries => _entries;

    internal Origin MadeBy { get; set; }

    /// <summary>Looks a key up.</summary>
    public bool TryGet(string key, [NotNullWhen(true)] out TomlNode? value) => _byKey.TryGetValue(key, out value);

    internal bool TryAdd(string key, TomlNode value, TomlPosition keyPosition)
    {
        if (!_byKey.TryAdd(key, value))
        {
            return false;
        }

        _entries.Add(new TomlEntry(key, value, keyPosition));
        return true;
    }
}
