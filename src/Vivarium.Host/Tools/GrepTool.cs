using System.Globalization;
using System.Text;
using Vivarium.Wire.Guest;

namespace Vivarium.Host.Tools;

/// <summary><c>grep</c>: lines that match, in a file or below a directory.</summary>
internal sealed class GrepTool : Tool
{
    private const int DefaultLimit = 200;

    public override string Name => "grep";

    public override string Description =>
        "Searches text files for a regular expression (or, with 'literal', for a text) and gives path:line:text of every match, in order of the paths. "
        + "Binary files, files above 16 MiB and .git directories are passed over.";

    public override bool Changes => false;

    protected override string SchemaText => """
        {
          "type": "object",
          "properties": {
            "pattern": {"type": "string", "minLength": 1, "maxLength": 10000, "pattern": "^[^\\u0000]*$", "description": "A regular expression of .NET; most of what other dialects know works."},
            "path": {"type": "string", "minLength": 1, "maxLength": 4096, "pattern": "^[^\\u0000]*$", "description": "A file, or a directory to search below; default the sandbox's working directory."},
            "include": {"type": "string", "minLength": 1, "maxLength": 1000, "pattern": "^[^\\u0000]*$", "description": "Only files that fit this shell pattern: *.cs, or with slashes src/**/*.cs for paths below the directory."},
            "literal": {"type": "boolean", "description": "The pattern is plain text; default false."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 10000, "description": "Most matches to give; default 200."}
          },
          "required": ["pattern"],
          "additionalProperties": false
        }
        """;

    public override Task<ToolResult> RunAsync(ToolRun run, CancellationToken cancellationToken) => ToolFiles.UseAsync(
        run,
        async (files, token) =>
        {
            var reply = await files.CallAsync(
                new FileRequest
                {
                    Op = "grep",
                    Path = run.Path(run.Arguments.MaybeText("path") ?? "."),
                    Pattern = run.Arguments.Text("pattern"),
                    Regex = !run.Arguments.Flag("literal"),
                    Include = run.Arguments.MaybeText("include"),
                    Except = GlobTool.Excluded,
                    Limit = run.Arguments.Number("limit") ?? DefaultLimit,
                },
                token).ConfigureAwait(false);
            var text = new StringBuilder();
            foreach (var match in reply.Matches ?? [])
            {
                text.Append(CultureInfo.InvariantCulture, $"{match.Path}:{match.Line}:{match.Text}\n");
            }

            return new ToolResult(text.Length == 0 ? "no matches\n" : reply.Truncated ? text.Append("[there are more matches]\n").ToString() : text.ToString()) { Truncated = reply.Truncated };
        },
        cancellationToken);
}
