namespace Vivarium.Cli.Output;

/// <summary>One cell of a table; its text is made safe to print.</summary>
internal readonly struct Cell(string text, string? style = null)
{
    public string Text { get; } = Output.Style.Safe(text);

    public string? Style { get; } = style;

    public static implicit operator Cell(string? text) => new(text ?? "");

    /// <summary>A state word in its colour.</summary>
    public static Cell State(string state) => new(state, Output.Style.ForState(state));
}
