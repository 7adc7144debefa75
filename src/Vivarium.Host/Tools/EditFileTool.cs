using System.Globalization;
using System.Text;
using Vivarium.Wire.Guest;

namespace Vivarium.Host.Tools;

/// <summary><c>edit_file</c>: puts one text in the place of another. Byte for byte, so that what is not UTF-8 elsewhere in the file stays as it is.</summary>
internal sealed class EditFileTool : Tool
{
    private const int MostBytes = 10 * 1024 * 1024;

    public override string Name => "edit_file";

    public override string Description =>
        "Replaces a text in a file by another. The old text must be in the file exactly once, character for character with its white space and line ends, unless 'all' is given. "
        + "Nothing is changed when it is not. The file is replaced in one step and keeps its mode and owner.";

    protected override string SchemaText => """
        {
          "type": "object",
          "properties": {
            "path": {"type": "string", "minLength": 1, "maxLength": 4096, "pattern": "^[^\\u0000]*$", "description": "The file; a relative path begins in the sandbox's working directory."},
            "old": {"type": "string", "minLength": 1, "description": "The text to replace."},
            "new": {"type": "string", "description": "What to put there."},
            "all": {"type": "boolean", "description": "Replace it wherever it is; default false."}
          },
          "required": ["path", "old", "new"],
          "additionalProperties": false
        }
        """;

    public override Task<ToolResult> RunAsync(ToolRun run, CancellationToken cancellationToken) => ToolFiles.UseAsync(
        run,
        async (files, token) =>
        {
            var path = run.Path(run.Arguments.Text("path"));
            var (old, replacement) = (Encoding.UTF8.GetBytes(run.Arguments.Text("old")), Encoding.UTF8.GetBytes(run.Arguments.Text("new")));

            // One edit at a time, or the later of two would undo the earlier.
            using var turn = await run.Sandbox.Tools.Writing.EnterAsync(token).ConfigureAwait(false);
            using var before = new MemoryStream();
            await files.ReceiveAsync(new FileRequest { Op = "read", Path = path, Length = MostBytes + 1 }, before, token).ConfigureAwait(false);
            if (before.Length > MostBytes)
            {
                return ToolResult.Failed($"{path} is larger than {MostBytes / 1024 / 1024} MiB");
            }

            var content = before.GetBuffer().AsMemory(0, (int)before.Length);
            var places = Places(content.Span, old);
            if (places.Count == 0)
            {
                return ToolResult.Failed($"the old text is not in {path}; read the file and give the text exactly as it is there");
            }

            if (places.Count > 1 && !run.Arguments.Flag("all"))
            {
                return ToolResult.Failed(string.Create(CultureInfo.InvariantCulture, $"the old text is in {path} {places.Count} times; give more of what is around it, or all"));
            }

            using var after = Replaced(content.Span, places, old.Length, replacement);
            await files.WriteFileAsync(path, null, after, null, parents: false, token).ConfigureAwait(false);
            return new ToolResult(string.Create(CultureInfo.InvariantCulture, $"replaced {places.Count} occurrence{(places.Count == 1 ? "" : "s")} in {path}"));
        },
        cancellationToken);

    private static List<int> Places(ReadOnlySpan<byte> content, ReadOnlySpan<byte> old)
    {
        var places = new List<int>();
        for (var at = 0; content[at..].IndexOf(old) is >= 0 and var next; at = places[^1] + old.Length)
        {
            places.Add(at + next);
        }

        return places;
    }

    private static MemoryStream Replaced(ReadOnlySpan<byte> content, List<int> places, int length, byte[] replacement)
    {
        var result = new MemoryStream(content.Length);
        var from = 0;
        foreach (var place in places)
        {
            result.Write(content[from..place]);
            result.Write(replacement);
            from = place + length;
        }

        result.Write(content[from..]);
        result.Position = 0;
        return result;
    }
}
