using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Streams;

/// <summary>
/// Prints a log as it arrives in pieces. A console log is plain bytes; a process log is a JSON object a line: <c>t</c> milliseconds, <c>s</c> stream, <c>d</c> text, or
/// base64 with <c>b</c>.
/// </summary>
internal sealed class LogPrinter(Invocation call, bool isProcess, bool timestamps, int? tail)
{
    private readonly ArrayBufferWriter<byte> _held = new();
    private readonly bool _json = call.Json;

    /// <summary>Whether the end has been reached once.</summary>
    public bool CaughtUp { get; private set; }

    /// <summary>Takes a piece; false when nobody reads any more. A tail is held until the end is reached.</summary>
    public bool Take(ReadOnlySpan<byte> bytes, bool atEnd)
    {
        _held.Write(bytes);
        if (tail is not null && !CaughtUp && !atEnd)
        {
            return true;
        }

        var all = _held.WrittenSpan;

        // Only whole records are taken apart; of a plain log everything goes out at once.
        var complete = isProcess ? all.LastIndexOf((byte)'\n') + 1 : all.Length;
        var shown = all[..complete];
        if (tail is { } lines && !CaughtUp)
        {
            shown = Last(shown, lines);
        }

        CaughtUp |= atEnd;
        var open = isProcess && !_json ? Records(shown) : Fd.WriteAll(call.Stdio.Output, shown);
        var rest = all[complete..].ToArray();
        _held.ResetWrittenCount();
        _held.Write(rest);
        return open;
    }

    private static ReadOnlySpan<byte> Last(ReadOnlySpan<byte> text, int lines)
    {
        var end = text.Length > 0 && text[^1] == '\n' ? text.Length - 1 : text.Length;
        var start = end;
        for (var i = 0; i < lines; i++)
        {
            var newline = text[..start].LastIndexOf((byte)'\n');
            if (newline < 0)
            {
                return text;
            }

            start = newline;
        }

        return lines == 0 ? [] : text[(start + 1)..];
    }

    private bool Records(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty)
        {
            var newline = text.IndexOf((byte)'\n');
            var line = text[..newline];
            text = text[(newline + 1)..];
            if (!line.IsEmpty && !Record(line))
            {
                return false;
            }
        }

        return true;
    }

    private bool Record(ReadOnlySpan<byte> line)
    {
        var time = 0L;
        var stream = call.Stdio.Output;
        var data = "";
        var base64 = false;
        var reader = new Utf8JsonReader(line);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName)
                {
                    continue;
                }

                var name = reader.ValueSpan;
                var (isTime, isStream, isData, isBase64) = (name.SequenceEqual("t"u8), name.SequenceEqual("s"u8), name.SequenceEqual("d"u8), name.SequenceEqual("b"u8));
                reader.Read();
                time = isTime ? reader.GetInt64() : time;
                stream = isStream && reader.ValueTextEquals("stderr"u8) ? call.Stdio.Error : stream;
                data = isData ? reader.GetString() ?? "" : data;
                base64 |= isBase64 && reader.TokenType == JsonTokenType.True;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return Fd.WriteAll(call.Stdio.Output, line); // a record cut by rotation is shown as it is
        }

        if (timestamps)
        {
            var stamp = Humanize.Time(time, call.Clock) + "." + (time % 1000).ToString("D3", CultureInfo.InvariantCulture) + " ";
            if (!Fd.WriteAll(stream, Encoding.UTF8.GetBytes(stamp)))
            {
                return false;
            }
        }

        var bytes = base64 ? Convert.FromBase64String(data) : Encoding.UTF8.GetBytes(data);
        return Fd.WriteAll(stream, bytes) && (!timestamps || bytes.AsSpan().EndsWith("\n"u8) || Fd.WriteAll(stream, "\n"u8));
    }
}
