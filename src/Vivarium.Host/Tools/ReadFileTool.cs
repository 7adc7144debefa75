using System.Globalization;
using System.Text;
using Vivarium.Wire.Guest;

namespace Vivarium.Host.Tools;

/// <summary><c>read_file</c>: lines of a text file. The file passes by; only what is asked for is kept.</summary>
internal sealed class ReadFileTool : Tool
{
    private const int ProbeBytes = 8 * 1024;

    public override string Name => "read_file";

    public override string Description => "Reads a text file: each line with its number and a tab before it. Long lines are cut. What is left out is named at the end, with the offset to go on from.";

    public override bool Changes => false;

    protected override string SchemaText => """
        {
          "type": "object",
          "properties": {
            "path": {"type": "string", "minLength": 1, "maxLength": 4096, "pattern": "^[^\\u0000]*$", "description": "The file; a relative path begins in the sandbox's working directory."},
            "offset": {"type": "integer", "minimum": 0, "description": "Lines to skip; default 0."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000000, "description": "Most lines to give; default 2000, unless the host is configured otherwise."}
          },
          "required": ["path"],
          "additionalProperties": false
        }
        """;

    public override Task<ToolResult> RunAsync(ToolRun run, CancellationToken cancellationToken) => ToolFiles.UseAsync(
        run,
        async (files, token) =>
        {
            var offset = run.Arguments.Number("offset") ?? 0;
            var content = await files.OpenAsync(new FileRequest { Op = "read", Path = run.Path(run.Arguments.Text("path")) }, token).ConfigureAwait(false);
            var lines = new LineWindow(offset, run.Arguments.Number("limit") ?? run.Limits.ReadLines, run.Limits.ReadCharacters, run.Limits.MaxOutput.Bytes);
            var buffer = new byte[64 * 1024];
            var first = true;
            int count;
            while (!lines.IsFull && (count = await content.ReadAtLeastAsync(buffer, first ? ProbeBytes : 1, throwOnEndOfStream: false, token).ConfigureAwait(false)) > 0)
            {
                if (first && buffer.AsSpan(0, Math.Min(count, ProbeBytes)).Contains((byte)0))
                {
                    return ToolResult.Failed($"{run.Arguments.Text("path")} is not a text file");
                }

                first = false;
                lines.Add(buffer.AsSpan(0, count));
            }

            if (!lines.IsFull)
            {
                // All of it came; only now the guest says whether reading went well. Else the connection ends here with the rest unread.
                await files.CloseAsync(content, token).ConfigureAwait(false);
                lines.End();
            }

            return Answer(lines, offset);
        },
        cancellationToken);

    private static ToolResult Answer(LineWindow lines, int offset)
    {
        if (lines.Given == 0 && offset > 0)
        {
            return new ToolResult(string.Create(CultureInfo.InvariantCulture, $"[the file has {lines.Seen} lines]"));
        }

        var text = lines.Text();
        return new ToolResult(lines.IsFull ? text + string.Create(CultureInfo.InvariantCulture, $"[there is more; go on with offset {offset + lines.Given}]\n") : text)
        {
            Truncated = lines.IsFull || lines.WasCut,
        };
    }

    /// <summary>Some lines out of a stream of bytes.</summary>
    private sealed class LineWindow(int skip, int most, int characters, long mostBytes)
    {
        private readonly StringBuilder text = new();
        private readonly byte[] line = new byte[Math.Min(4 * characters, 1024 * 1024)];
        private int length;
        private long lineBytes;

        /// <summary>Lines that ended, skipped ones too.</summary>
        public int Seen { get; private set; }

        public int Given { get; private set; }

        /// <summary>There is more than may be given.</summary>
        public bool IsFull { get; private set; }

        /// <summary>A line was longer than may be given.</summary>
        public bool WasCut { get; private set; }

        public string Text() => text.ToString();

        public void Add(ReadOnlySpan<byte> bytes)
        {
            while (!bytes.IsEmpty && !IsFull)
            {
                if (Given == most || text.Length > mostBytes)
                {
                    IsFull = true;
                    return;
                }

                var end = bytes.IndexOf((byte)'\n');
                Take(end < 0 ? bytes : bytes[..end]);
                if (end < 0)
                {
                    return;
                }

                Finish();
                bytes = bytes[(end + 1)..];
            }
        }

        /// <summary>What comes after the last newline is a line too.</summary>
        public void End()
        {
            if (lineBytes > 0)
            {
                Finish();
            }
        }

        private void Take(ReadOnlySpan<byte> bytes)
        {
            lineBytes += bytes.Length;
            if (Seen >= skip)
            {
                var room = Math.Min(bytes.Length, line.Length - length);
                bytes[..room].CopyTo(line.AsSpan(length));
                length += room;
            }
        }

        private void Finish()
        {
            if (Seen >= skip)
            {
                var whole = Encoding.UTF8.GetString(line, 0, length).TrimEnd('\r');
                var cut = whole.Length > characters || lineBytes > length;
                WasCut |= cut;
                if (whole.Length > characters)
                {
                    whole = whole[..(char.IsHighSurrogate(whole[characters - 1]) ? characters - 1 : characters)];
                }

                text.Append(CultureInfo.InvariantCulture, $"{Seen + 1,6}\t{whole}{(cut ? "…" : string.Empty)}\n");
                Given++;
            }

            Seen++;
            length = 0;
            lineBytes = 0;
        }
    }
}
