namespace Vivarium.Cli.Output;

/// <summary>Left-aligned columns, two blanks apart. On a terminal the widest cells are shortened to fit, the first column last: it is what one types; elsewhere nothing is cut.</summary>
internal sealed class Table(params string[] headers)
{
    private const int Gap = 2;
    private const int NarrowestCut = 8;
    private readonly List<Cell[]> _rows = [];

    public int Rows => _rows.Count;

    public void Add(params Cell[] cells) => _rows.Add(cells);

    public void WriteTo(TextOut output)
    {
        foreach (var line in Lines(output.Width, output.Color))
        {
            output.Line(line);
        }
    }

    /// <summary>The header and the rows as lines, for whoever draws them himself.</summary>
    public IEnumerable<string> Lines(int width, bool color)
    {
        var widths = Widths(width);
        return _rows.Prepend([.. headers.Select(header => new Cell(header, Style.Faint))]).Select(row => Row(row, widths, color));
    }

    private int[] Widths(int available)
    {
        var widths = headers.Select(header => header.Length).ToArray();
        foreach (var row in _rows)
        {
            for (var i = 0; i < row.Length; i++)
            {
                widths[i] = Math.Max(widths[i], row[i].Text.Length);
            }
        }

        while (available != int.MaxValue && widths.Sum() + (Gap * (widths.Length - 1)) > available)
        {
            var widest = Array.IndexOf(widths, widths[1..].DefaultIfEmpty().Max(), Math.Min(1, widths.Length - 1));
            widest = widths[widest] > NarrowestCut ? widest : 0;
            if (widths[widest] <= NarrowestCut)
            {
                break;
            }

            widths[widest]--;
        }

        return widths;
    }

    private static string Row(Cell[] row, int[] widths, bool color)
    {
        var line = new System.Text.StringBuilder();
        for (var i = 0; i < row.Length; i++)
        {
            var text = row[i].Text.Length > widths[i] ? string.Concat(row[i].Text.AsSpan(0, widths[i] - 1), "…") : row[i].Text;
            var padding = i == row.Length - 1 ? 0 : widths[i] + Gap - text.Length;
            line.Append(row[i].Style is { } style ? Style.Paint(color, style, text) : text).Append(' ', padding);
        }

        return line.ToString().TrimEnd();
    }
}
