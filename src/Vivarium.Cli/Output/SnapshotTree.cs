using Vivarium.Wire.Host;

namespace Vivarium.Cli.Output;

/// <summary>
/// Snapshots as the tree they are: what comes from a snapshot stands below it. A line of descent without branches stays at one depth, so that two hundred turns
/// do not wander off to the right.
/// </summary>
internal static class SnapshotTree
{
    public static Table Of(IReadOnlyList<SnapshotInfo> snapshots, TimeProvider clock, bool withSandbox)
    {
        string[] headers = ["SNAPSHOT", "KIND", "TIME", "NEW DATA", "CHANGES", "LABEL"];
        var table = new Table(withSandbox ? [.. headers, "SANDBOX"] : headers);
        var known = snapshots.Select(s => s.Id).ToHashSet();
        var children = snapshots.ToLookup(s => s.Parent is { } parent && known.Contains(parent) ? parent : null);
        var todo = new Stack<(SnapshotInfo Snapshot, string Indent, string Branch)>();
        Push(todo, [.. children[null]], "");
        while (todo.TryPop(out var next))
        {
            var (snapshot, indent, branch) = next;
            var mark = (snapshot.Current ? " *" : "") + (snapshot.Held ? " (held)" : "");
            var cells = new List<Cell>
            {
                new(indent + branch + snapshot.Name + mark, snapshot.Current ? Style.Strong : null),
                snapshot.Kind + (snapshot.HasMemory ? "+memory" : ""),
                Humanize.Time(snapshot.CreatedUnixMs, clock),
                snapshot.BytesUnique is { } bytes ? Humanize.Bytes(bytes) : "-",
                Changes(snapshot),
                snapshot.Label ?? snapshot.Message ?? "-",
            };
            if (withSandbox)
            {
                cells.Add(snapshot.SandboxName);
            }

            table.Add([.. cells]);
            SnapshotInfo[] below = [.. children[snapshot.Id]];
            if (below.Length == 1)
            {
                todo.Push((below[0], indent + Below(branch), ""));
            }
            else
            {
                Push(todo, below, indent + Below(branch));
            }
        }

        return table;
    }

    /// <summary>What a snapshot changed, in a few words.</summary>
    public static string Changes(SnapshotInfo snapshot) => snapshot switch
    {
        { Unchanged: true } => "unchanged",
        { Changes: { } c } => $"+{c.Added} ~{c.Changed} -{c.Removed}",
        _ => "-",
    };

    /// <summary>Branches, the first on top of the stack; those that end stand before the one that goes on longest only by their age.</summary>
    private static void Push(Stack<(SnapshotInfo, string, string)> todo, SnapshotInfo[] siblings, string indent)
    {
        for (var i = siblings.Length - 1; i >= 0; i--)
        {
            todo.Push((siblings[i], indent, siblings.Length == 1 ? "" : i == siblings.Length - 1 ? "└─ " : "├─ "));
        }
    }

    private static string Below(string branch) => branch.Length == 0 ? "" : branch[0] == '├' ? "│  " : "   ";
}
