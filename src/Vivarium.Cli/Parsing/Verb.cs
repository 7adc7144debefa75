using System.CommandLine;

namespace Vivarium.Cli.Parsing;

/// <summary>One command: its options and arguments, its help, and what it does. One file per verb in Commands/.</summary>
internal abstract class Verb(string name, string description) : Command(name, description)
{
    /// <summary>The usage line after the command's name.</summary>
    public required string Usage { get; init; }

    /// <summary>Examples for the help: command line and what it does.</summary>
    public IReadOnlyList<(string Line, string Meaning)> Examples { get; init; } = [];

    /// <summary>Whether words after <c>--</c> are a command to run; elsewhere they are refused.</summary>
    public bool TakesCommand { get; init; }

    /// <summary>Does it; returns the exit code.</summary>
    public abstract int Run(Invocation call);
}
