using Vivarium.Wire.Guest;

namespace Vivarium.Host.Tools;

/// <summary><c>bash</c>: a command line.</summary>
internal sealed class BashTool : Tool
{
    public override string Name => "bash";

    public override string Description =>
        "Runs a command line in the sandbox with bash (with sh where there is no bash) and returns what it wrote: standard output, then standard error. Each call is a shell of its own. "
        + "When its time is up, it and everything it started is killed; what it leaves in the background otherwise goes on.";

    /// <summary>Earlier services called it <c>cmd</c>.</summary>
    public override IReadOnlyDictionary<string, string> Aliases { get; } = new Dictionary<string, string> { ["cmd"] = "command" };

    protected override string SchemaText => """
        {
          "type": "object",
          "properties": {
            "command": {"type": "string", "minLength": 1, "maxLength": 120000, "pattern": "^[^\\u0000]*$", "description": "The command line; it may have several lines."},
            "timeout_ms": {"type": "integer", "minimum": 1, "description": "Most time it may take, in milliseconds; by default 2 minutes, at most 5, unless the host is configured otherwise."},
            "cwd": {"type": "string", "minLength": 1, "maxLength": 4096, "pattern": "^[^\\u0000]*$", "description": "Directory to run in; default the sandbox's working directory."}
          },
          "required": ["command"],
          "additionalProperties": false
        }
        """;

    public override async Task<ToolResult> RunAsync(ToolRun run, CancellationToken cancellationToken)
    {
        var command = run.Arguments.Text("command");
        var cwd = await ToolFiles.DirectoryAsync(run, cancellationToken).ConfigureAwait(false);
        return await ToolCommand.RunAsync(
            run,
            ToolTimes.Of(run, run.Limits.Timeout),
            cancellationToken,
            new ExecRequest { Argv = ["bash", "-c", command], Cwd = cwd },
            new ExecRequest { Argv = ["sh", "-c", command], Cwd = cwd }).ConfigureAwait(false);
    }
}
