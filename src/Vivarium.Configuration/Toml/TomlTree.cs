namespace Vivarium.Configuration.Toml;

/// <summary>The tables under construction, with the rules on what may be defined once, again or never.</summary>
internal sealed class TomlTree
{
    private TomlTable _current;

    public TomlTree()
    {
        Root = new TomlTable(new TomlPosition(1, 1)) { MadeBy = TomlTable.Origin.Header };
        _current = Root;
    }

    public TomlTable Root { get; }

    public void Assign(IReadOnlyList<TomlKeyPart> path, TomlNode value) => Assign(_current, path, value);

    /// <summary>Puts a value under a (dotted) key of a table; also used for inline tables.</summary>
    public static void Assign(TomlTable table, IReadOnlyList<TomlKeyPart> path, TomlNode value)
    {
        for (var i = 0; i < path.Count - 1; i++)
        {
            table = Descend(table, path[i]);
        }

        var last = path[^1];
        if (!table.TryAdd(last.Name, value, last.Position))
        {
            throw new TomlSyntaxException(last.Position, $"the key '{last.Name}' is set twice");
        }
    }

    public void OpenTable(IReadOnlyList<TomlKeyPart> path, TomlPosition position)
    {
        var parent = Walk(path);
        var last = path[^1];
        if (!parent.TryGet(last.Name, out var existing))
        {
            _current = new TomlTable(position) { MadeBy = TomlTable.Origin.Header };
            parent.TryAdd(last.Name, _current, last.Position);
            return;
        }

        if (existing is not TomlTable { MadeBy: TomlTable.Origin.Implicit } table)
        {
            throw new TomlSyntaxException(last.Position, $"'{last.Name}' is already defined");
        }

        table.MadeBy = TomlTable.Origin.Header;
        _current = table;
    }

    public void OpenArrayItem(IReadOnlyList<TomlKeyPart> path, TomlPosition position)
    {
        var parent = Walk(path);
        var last = path[^1];
        if (!parent.TryGet(last.Name, out var existing))
        {
            existing = new TomlArray(position) { OfTables = true };
            parent.TryAdd(last.Name, existing, last.Position);
        }

        if (existing is not TomlArray { OfTables: true } array)
        {
            throw new TomlSyntaxException(last.Position, $"'{last.Name}' is already defined and is not an array of tables");
        }

        _current = new TomlTable(position) { MadeBy = TomlTable.Origin.Header };
        array.Add(_current);
    }

    /// <summary>The table that holds the last part of a header, making implicit tables on the way.</summary>
    private TomlTable Walk(IReadOnlyList<TomlKeyPart> path)
    {
        var table = Root;
        for (var i = 0; i < path.Count - 1; i++)
        {
            var part = path[i];
            if (!table.TryGet(part.Name, out var next))
            {
                next = new TomlTable(part.Position) { MadeBy = TomlTable.Origin.Implicit };
                table.TryAdd(part.Name, next, part.Position);
            }

            table = next switch
            {
                TomlTable { MadeBy: not TomlTable.Origin.Inline } t => t,
                TomlArray { OfTables: true } a => (TomlTable)a.Items[^1],
                _ => throw new TomlSyntaxException(part.Position, $"'{part.Name}' is not a table that can be added to"),
            };
        }

        return table;
    }

    private static TomlTable Descend(TomlTable table, TomlKeyPart part)
    {
        if (!table.TryGet(part.Name, out var next))
        {
            var made = new TomlTable(part.Position) { MadeBy = TomlTable.Origin.Dotted };
            table.TryAdd(part.Name, made, part.Position);
            return made;
        }

        return next as TomlTable is { MadeBy: TomlTable.Origin.Dotted } existing
            ? existing
            : throw new TomlSyntaxException(part.Position, $"'{part.Name}' is already defined and cannot be added to with a dotted key");
    }
}
