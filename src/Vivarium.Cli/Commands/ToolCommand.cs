using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv tool</c>: what an agent loop calls, by hand.</summary>
internal static class ToolCommand
{
    public static Verb Make() => new VerbGroup("tool", "Calls what agents call in a sandbox: bash, file and git tools, with their limits, schemas and repeatable answers.", ToolListCommand.Make(), ToolCallCommand.Make())
    {
        Usage = "COMMAND",
        Examples =
        [
            ("viv tool ls", "the tools"),
            ("viv tool call quiet-fox read_file '{\"path\": \"README.md\"}'", "one of them"),
        ],
    };
}
