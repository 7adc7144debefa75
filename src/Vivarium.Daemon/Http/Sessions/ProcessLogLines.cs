using System.Text;
using System.Text.Json;
using Vivarium.Wire.Host;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Sessions;

/// <summary>
/// Reads the lines of a process's log (<c>{"t":unix_ms,"s":"stdout|stderr|pty","d":text}</c>, base64 with <c>"b":true</c>). Only whole lines are given: what a piece cuts off at
/// its end comes with the next one, and what it begins with in the middle of a line is left out.
/// </summary>
internal static class ProcessLogLines
{
    /// <summary>The entries of a piece.</summary>
    public static GetProcessLogsResponse Read(LogsReply piece)
    {
        var data = Convert.FromBase64String(piece.Data);
        var whole = Array.LastIndexOf(data, (byte)'\n') + 1;
        var entries = new List<ProcessLogEntry>();
        for (var at = 0; at < whole;)
        {
            var end = Array.IndexOf(data, (byte)'\n', at);
            if (Entry(data.AsMemory(at, end - at)) is { } entry)
            {
                entries.Add(entry);
            }

            at = end + 1;
        }

        // A log that has ended in the middle of a line has no more of it.
        return new GetProcessLogsResponse { Entries = entries, NextOffset = piece.Ended ? piece.NextOffset : piece.NextOffset - data.Length + whole, Ended = piece.Ended };
    }

    private static ProcessLogEntry? Entry(ReadOnlyMemory<byte> line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            var data = root.GetProperty("d").GetString()!;
            var binary = root.TryGetProperty("b", out var flag) && flag.GetBoolean();
            return new ProcessLogEntry
            {
                Time = DateTimeOffset.FromUnixTimeMilliseconds(root.GetProperty("t").GetInt64()),
                IsError = root.GetProperty("s").GetString() == "stderr",
                Content = binary ? Encoding.UTF8.GetString(Convert.FromBase64String(data)) : data,
                Data = binary ? data : null,
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }
}
