using System.Globalization;
using System.Text;

namespace Vivarium.Host.Tools;

/// <summary><c>write_file</c>: the whole of a file, in one step.</summary>
internal sealed class WriteFileTool : Tool
{
    public override string Name => "write_file";

    public override string Description =>
        "Writes a file: replaces it as a whole, in one step, or makes it, with the directories above it. An existing file keeps its mode and owner.";

    protected override string SchemaText => """
        {
          "type": "object",
          "properties": {
            "path": {"type": "string", "minLength": 1, "maxLength": 4096, "pattern": "^[^\\u0000]*$", "description": "The file; a relative path begins in the sandbox's working directory."},
            "content": {"type": "string", "description": "Everything that is to be in it."},
            "mode": {"type": "string", "pattern": "^[0-7]{3,4}$", "description": "Permissions in octal, such as 755; default those it has, or 644."}
          },
          "required": ["path", "content"],
          "additionalProperties": false
        }
        """;

    public override Task<ToolResult> RunAsync(ToolRun run, CancellationToken cancellationToken) => ToolFiles.UseAsync(
        run,
        async (files, token) =>
        {
            using var content = new MemoryStream(Encoding.UTF8.GetBytes(run.Arguments.Text("content")), writable: false);
            var mode = run.Arguments.MaybeText("mode") is { } text ? Convert.ToInt32(text, 8) : (int?)null;
            using (await run.Sandbox.Tools.Writing.EnterAsync(token).ConfigureAwait(false))
            {
                var written = await files.WriteFileAsync(run.Path(run.Arguments.Text("path")), null, content, mode, parents: true, token).ConfigureAwait(false);
                return new ToolResult(string.Create(CultureInfo.InvariantCulture, $"wrote {content.Length} bytes to {written.Entry?.Path}"));
            }
        },
        cancellationToken);
}
