namespace Vivarium.Cli.Parsing;

/// <summary>A verb in the list: known by name and summary, built only when it is called (start-up time).</summary>
internal sealed record VerbEntry(string Group, string Name, string Summary, Func<Verb> Make)
{
    /// <summary>Other names it answers to.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];
}
