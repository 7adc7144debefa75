using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;

namespace Vivarium.Supervisor.Logs;

/// <summary>
/// <c>process-&lt;pid&gt;.log</c>: the output of a launched process as JSON lines <c>{"t":unix_ms,"s":"stdout|stderr|pty","d":text}</c>; what is not UTF-8 is
/// base64 with <c>"b":true</c>. A character cut by a read's border is completed with the next.
/// </summary>
internal sealed class ProcessLog(string path, long maxBytes) : IAsyncDisposable
{
    private const int MaxChunk = 32 * 1024;

    private readonly RotatingFile file = new(path, maxBytes);
    private readonly ArrayBufferWriter<byte> line = new(1024);
    private readonly Dictionary<string, byte[]> cut = [];

    /// <summary>Logs a piece of output; one caller at a time.</summary>
    public void Write(string stream, ReadOnlySpan<byte> bytes)
    {
        if (cut.Remove(stream, out var start))
        {
            bytes = (byte[])[.. start, .. bytes];
        }

        while (bytes.Length > 0)
        {
            var piece = bytes[..Math.Min(bytes.Length, MaxChunk)];
            var tail = CutCharacter(piece);
            if (tail == piece.Length)
            {
                cut[stream] = piece.ToArray();
                return;
            }

            piece = piece[..^tail];
            Append(stream, piece);
            bytes = bytes[piece.Length..];
        }
    }

    /// <summary>Logs what was kept back: the process has ended.</summary>
    public void Finish()
    {
        foreach (var (stream, bytes) in cut)
        {
            Append(stream, bytes);
        }

        cut.Clear();
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        Finish();
        return file.DisposeAsync();
    }

    /// <summary>Bytes of a character that begins at the end of <paramref name="bytes"/> and goes on beyond it, 0 to 3. Source: RFC 3629.</summary>
    internal static int CutCharacter(ReadOnlySpan<byte> bytes)
    {
        for (var back = 1; back <= Math.Min(3, bytes.Length); back++)
        {
            var b = bytes[^back];
            if (b is < 0x80 or >= 0xF8)
            {
                return 0;
            }

            if (b >= 0xC0)
            {
                var length = b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
                return length > back ? back : 0;
            }
        }

        return 0;
    }

    private void Append(string stream, ReadOnlySpan<byte> bytes)
    {
        line.ResetWrittenCount();
        using (var json = new Utf8JsonWriter(line))
        {
            json.WriteStartObject();
            json.WriteNumber("t"u8, TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
            json.WriteString("s"u8, stream);
            if (Utf8.IsValid(bytes))
            {
                json.WriteString("d"u8, bytes);
            }
            else
            {
                json.WriteBase64String("d"u8, bytes);
                json.WriteBoolean("b"u8, true);
            }

            json.WriteEndObject();
        }

        line.Write("\n"u8);
        file.Write(line.WrittenSpan);
    }
}
