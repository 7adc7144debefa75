using System.Text;
using Vivarium.Wire.Guest;

namespace Vivarium.Host.Tools;

/// <summary><c>glob</c>: paths that fit a pattern.</summary>
internal sealed class GlobTool : Tool
{
    private const int DefaultLimit = 1000;

    /// <summary>Directories nobody searches in: a repository's own store.</summary>
    internal static readonly IReadOnlyList<string> Excluded = [".git"];

    public override string Name => "glob";

    public override string Description =>
        "Lists the files and directories below a directory that fit a shell pattern, one absolute path a line, in order. A pattern without a slash speaks of names at any depth (*.cs); "
        + "one with a slash of paths below the directory, where * stays within a name and ** goes across directories (src/**/*.cs). .git directories are passed over.";

    public override bool Changes => false;

    protected override string SchemaText => """
        {
          "type": "object",
          "properties": {
            "pattern": {"type": "string", "minLength": 1, "maxLength": 1000, "pattern": "^[^\\u0000]*$", "description": "The pattern: * ? [abc] **."},
            "path": {"type": "string", "minLength": 1, "maxLength": 4096, "pattern": "^[^\\u0000]*$", "description": "Directory to look below; default the sandbox's working directory."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 10000, "description": "Most paths to give; default 1000."}
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
                    Op = "find",
                    Path = run.Path(run.Arguments.MaybeText("path") ?? "."),
                    Pattern = run.Arguments.Text("pattern"),
                    WholePath = true,
                    Except = Excluded,
                    Limit = run.Arguments.Number("limit") ?? DefaultLimit,
                },
                token).ConfigureAwait(false);
            var text = new StringBuilder();
            foreach (var entry in reply.Entries ?? [])
            {
                text.Append(entry.Path).Append(entry.Type == "dir" ? "/\n" : "\n");
            }

            return new ToolResult(text.Length == 0 ? "no matches\n" : reply.Truncated ? text.Append("[there are more]\n").ToString() : text.ToString()) { Truncated = reply.Truncated };
        },
        cancellationToken);
}
