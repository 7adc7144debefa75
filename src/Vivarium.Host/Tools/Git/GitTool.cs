using Vivarium.Wire.Guest;

namespace Vivarium.Host.Tools.Git;

/// <summary>
/// A git command in the sandbox, by the sandbox's git: a repository's configuration can run commands, and options can name files, so nothing of it is ever done on
/// the host. What a caller gives is never taken for an option: what begins with a dash is refused, and paths come after <c>--</c>.
/// </summary>
internal sealed class GitTool(string name, string description, bool changes, string properties, string[] required, Func<ToolArguments, IEnumerable<string>> words) : Tool
{
    /// <summary>Nobody is there to answer, page or edit; and a commit needs no configuration: git takes the name of the user, and this for an address when it has none.</summary>
    private static readonly Dictionary<string, string> Environment = new()
    {
        ["GIT_TERMINAL_PROMPT"] = "0",
        ["GIT_PAGER"] = "cat",
        ["GIT_EDITOR"] = "true",
        ["GIT_OPTIONAL_LOCKS"] = "0",
        ["EMAIL"] = "agent@sandbox.invalid",
    };

    public override string Name => name;

    public override string Description => description;

    public override bool Changes => changes;

    protected override string SchemaText =>
        $$"""
        {
          "type": "object",
          "properties": {
            {{(properties.Length == 0 ? "" : properties + ",")}}
            "cwd": {"type": "string", "minLength": 1, "maxLength": 4096, "pattern": "^[^\\u0000]*$", "description": "Directory of the repository; default the sandbox's working directory."},
            "timeout_ms": {"type": "integer", "minimum": 1, "description": "Most time it may take, in milliseconds; default 30 seconds, unless the host is configured otherwise."}
          },
          "required": [{{string.Join(", ", required.Select(static r => $"\"{r}\""))}}],
          "additionalProperties": false
        }
        """;

    public override async Task<ToolResult> RunAsync(ToolRun run, CancellationToken cancellationToken)
    {
        var cwd = await ToolFiles.DirectoryAsync(run, cancellationToken).ConfigureAwait(false);
        return await ToolCommand.RunAsync(
            run,
            ToolTimes.Of(run, run.Limits.GitTimeout),
            cancellationToken,
            new ExecRequest { Argv = ["git", "--no-pager", "-c", "color.ui=false", .. words(run.Arguments)], Cwd = cwd, Env = Environment }).ConfigureAwait(false);
    }
}
