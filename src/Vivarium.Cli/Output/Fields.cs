namespace Vivarium.Cli.Output;

/// <summary>Names and values below each other; what is not known is left out.</summary>
internal sealed class Fields(TextOut output, int width = 12)
{
    public void Add(string name, string? value, string? style = null)
    {
        if (string.IsNullOrEmpty(value))
        {
            return;
        }

        var text = Style.Safe(value);
        output.Write(Style.Paint(output.Color, Style.Faint, name.PadRight(width))).Write(" ").Line(style is null ? text : Style.Paint(output.Color, style, text));
    }
}
