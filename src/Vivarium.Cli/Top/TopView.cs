using System.Text.Json;
using Vivarium.Cli.Output;

namespace Vivarium.Cli.Top;

/// <summary>The rows as a table, and as JSON.</summary>
internal static class TopView
{
    public static Table Table(IEnumerable<TopRow> rows, TimeProvider clock)
    {
        var table = new Table("NAME", "STATE", "RUNTIME", "CPU", "MEMORY", "LIMIT", "PIDS", "DISK", "AGE");
        foreach (var row in rows)
        {
            table.Add(
                row.Sandbox.Name,
                Cell.State(row.Sandbox.State),
                row.Sandbox.Isolated ? new Cell(row.Sandbox.Runtime) : new Cell(row.Sandbox.Runtime + " (NOT ISOLATED)", Style.Bad),
                row.Cpu is { } cpu ? Humanize.Percent(cpu) : "-",
                row.Memory is { } memory ? Humanize.Bytes(memory) : "-",
                row.Usage?.MemoryLimitBytes is { } limit ? Humanize.Bytes(limit) : "-",
                row.Usage?.Pids is { } pids ? $"{pids}{(row.Usage.PidsLimit is { } most ? $"/{most}" : "")}" : "-",
                row.Disk is { } disk ? Humanize.Bytes(disk) : "-",
                Humanize.Since(row.Sandbox.CreatedUnixMs, clock));
        }

        return table;
    }

    public static string Summary(IReadOnlyList<TopRow> rows)
    {
        var running = rows.Count(row => row.Usage is not null);
        return $"{rows.Count} sandbox{(rows.Count == 1 ? "" : "es")}, {running} measured; CPU {Humanize.Percent(rows.Sum(row => row.Cpu ?? 0))}, memory {Humanize.Bytes(rows.Sum(row => row.Memory ?? 0))}";
    }

    public static byte[] Json(IReadOnlyList<TopRow> rows, TimeProvider clock)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, JsonOut.WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteNumber("unix_ms", clock.GetUtcNow().ToUnixTimeMilliseconds());
            writer.WriteStartArray("sandboxes");
            foreach (var row in rows)
            {
                writer.WriteStartObject();
                writer.WriteString("id", row.Sandbox.Id);
                writer.WriteString("name", row.Sandbox.Name);
                writer.WriteString("state", row.Sandbox.State);
                writer.WriteString("runtime", row.Sandbox.Runtime);
                writer.WriteNumber("created_unix_ms", row.Sandbox.CreatedUnixMs);
                Optional(writer, "cpus", row.Cpu is { } cpu ? Math.Round(cpu, 4) : null);
                Optional(writer, "memory_bytes", row.Memory);
                Optional(writer, "memory_limit_bytes", row.Usage?.MemoryLimitBytes);
                Optional(writer, "pids", row.Usage?.Pids);
                Optional(writer, "pids_limit", row.Usage?.PidsLimit);
                Optional(writer, "disk_used_bytes", row.Disk);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        bytes.WriteByte((byte)'\n');
        return bytes.ToArray();
    }

    private static void Optional(Utf8JsonWriter writer, string name, double? value)
    {
        if (value is { } known)
        {
            writer.WriteNumber(name, known);
        }
    }
}
