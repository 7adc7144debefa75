namespace Vivarium.Cli.Top;

/// <summary>What the table is sorted by: the largest first, names from a to z. What is not known comes last.</summary>
internal static class TopOrder
{
    public static string[] Keys { get; } = ["cpu", "memory", "pids", "disk", "age", "name"];

    /// <summary>The key behind a letter typed, or null.</summary>
    public static string? ForLetter(char letter) => Keys.FirstOrDefault(key => key[0] == char.ToLowerInvariant(letter));

    public static IReadOnlyList<TopRow> Sort(IReadOnlyList<TopRow> rows, string key, bool reverse)
    {
        IEnumerable<TopRow> sorted = key switch
        {
            "name" => rows.OrderBy(row => row.Sandbox.Name, StringComparer.Ordinal),
            "age" => Largest(rows, row => -row.Sandbox.CreatedUnixMs),
            "memory" => Largest(rows, row => row.Memory),
            "pids" => Largest(rows, row => row.Usage?.Pids),
            "disk" => Largest(rows, row => row.Disk),

            // Known from the second look on; until then those that run still come before those that do not.
            _ => Largest(rows, row => row.Cpu ?? (row.Usage is null ? null : -1)),
        };
        return [.. reverse ? sorted.Reverse() : sorted];
    }

    private static IOrderedEnumerable<TopRow> Largest(IReadOnlyList<TopRow> rows, Func<TopRow, double?> value) =>
        rows.OrderByDescending(row => value(row) ?? double.NegativeInfinity).ThenBy(row => row.Sandbox.Name, StringComparer.Ordinal);
}
