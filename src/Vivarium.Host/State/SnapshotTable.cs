using System.Text.Json;
using Microsoft.Data.Sqlite;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Snapshots;

namespace Vivarium.Host.State;

/// <summary>Rows of snapshots. A change of the tree and of the sandbox that stands on it is one transaction.</summary>
internal sealed class SnapshotTable(StateDatabase database)
{
    /// <summary>Stores, replaces and removes snapshots and, with them, the record of their sandbox; completes when all of it is on disk.</summary>
    public Task ChangeAsync(SandboxRecord? sandbox, IReadOnlyCollection<SnapshotRecord> put, IReadOnlyCollection<SnapshotId> remove)
    {
        var rows = put.Select(static r => (Record: r, Body: JsonSerializer.Serialize(r, StateJson.Default.SnapshotRecord))).ToArray();
        var body = sandbox is null ? null : JsonSerializer.Serialize(sandbox, StateJson.Default.SandboxRecord);
        return database.WriteAsync(c =>
        {
            foreach (var (record, text) in rows)
            {
                Run(c, "INSERT OR REPLACE INTO snapshot(id, sandbox_id, sequence, volume, held, body) VALUES ($id, $sandbox, $sequence, $volume, $held, $body)",
                    ("$id", record.Id.Value), ("$sandbox", record.Sandbox.Value), ("$sequence", record.Sequence), ("$volume", record.Volume), ("$held", record.Held ? 1 : 0), ("$body", text));
            }

            foreach (var id in remove)
            {
                Run(c, "DELETE FROM snapshot WHERE id = $id", ("$id", id.Value));
            }

            if (sandbox is not null)
            {
                Run(c, "UPDATE sandbox SET state = $state, body = $body WHERE id = $id", ("$id", sandbox.Id.Value), ("$state", sandbox.State), ("$body", body));
            }
        });
    }

    /// <summary>Forgets the snapshots of a sandbox that is gone, except held ones.</summary>
    public Task ForgetAsync(SandboxId sandbox) =>
        database.WriteAsync(c => Run(c, "DELETE FROM snapshot WHERE sandbox_id = $sandbox AND held = 0", ("$sandbox", sandbox.Value)));

    /// <summary>All that can be read, in order, and the volumes of those that cannot.</summary>
    public (IReadOnlyList<SnapshotRecord> Records, IReadOnlyList<string> UnreadableVolumes) Load() => database.Read(c =>
    {
        var good = new List<SnapshotRecord>();
        var bad = new List<string>();
        using var command = c.CreateCommand();
        command.CommandText = "SELECT id, volume, body FROM snapshot ORDER BY sandbox_id, sequence";
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            if (TryParse(reader.GetString(2)) is { } record && record.Id.Value == reader.GetString(0))
            {
                good.Add(record);
            }
            else
            {
                bad.Add(reader.GetString(1));
            }
        }

        return ((IReadOnlyList<SnapshotRecord>)good, (IReadOnlyList<string>)bad);
    });

    private static SnapshotRecord? TryParse(string body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, StateJson.Default.SnapshotRecord);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            return null;
        }
    }

    private static void Run(SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        }

        command.ExecuteNonQuery();
    }
}
