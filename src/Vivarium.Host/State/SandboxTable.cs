using System.Text.Json;
using Microsoft.Data.Sqlite;
using Vivarium.Host.Sandboxes;

namespace Vivarium.Host.State;

/// <summary>Rows of sandboxes, of those set aside, and of those that are gone.</summary>
internal sealed class SandboxTable(StateDatabase database, TimeProvider time)
{
    /// <summary>How many destroyed sandboxes are remembered, so that destroying one twice is not an error.</summary>
    public const int Tombstones = 10_000;

    /// <summary>Stores a new record; completes when it is on disk.</summary>
    public Task InsertAsync(SandboxRecord record)
    {
        var body = Serialize(record);
        return database.WriteAsync(c => Run(
            c,
            "INSERT INTO sandbox(id, name, external_id, state, created_unix_ms, body) VALUES ($id, $name, $external, $state, $created, $body)",
            ("$id", record.Id.Value), ("$name", record.Name), ("$external", record.ExternalId), ("$state", record.State), ("$created", record.CreatedUnixMs), ("$body", body)));
    }

    /// <summary>Stores a changed record; completes when it is on disk.</summary>
    public Task UpdateAsync(SandboxRecord record)
    {
        var body = Serialize(record);
        return database.WriteAsync(c => Update(c, record, body));
    }

    /// <summary>Stores a changed record soon: for observed state.</summary>
    public void UpdateLazily(SandboxRecord record)
    {
        var body = Serialize(record);
        database.WriteLazily(c => Update(c, record, body));
    }

    /// <summary>Forgets a sandbox but for its tombstone; completes when it is on disk.</summary>
    public Task DeleteAsync(SandboxRecord record)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        return database.WriteAsync(c =>
        {
            Run(c, "DELETE FROM sandbox WHERE id = $id", ("$id", record.Id.Value));
            Run(c, "INSERT OR REPLACE INTO tombstone(id, name, external_id, unix_ms) VALUES ($id, $name, $external, $now)",
                ("$id", record.Id.Value), ("$name", record.Name), ("$external", record.ExternalId), ("$now", now));
            Run(c, "DELETE FROM tombstone WHERE seq <= (SELECT max(seq) FROM tombstone) - $keep", ("$keep", Tombstones));
        });
    }

    /// <summary>Whether there is a record: one whose storing failed (a full disk) needs no room to be forgotten.</summary>
    public bool Contains(Naming.SandboxId id) => database.Read(c =>
    {
        using var command = c.CreateCommand();
        command.CommandText = "SELECT 1 FROM sandbox WHERE id = $id";
        command.Parameters.AddWithValue("$id", id.Value);
        return command.ExecuteScalar() is not null;
    });

    /// <summary>Whether something of this full id, name or external id was destroyed before.</summary>
    public bool WasKnown(string reference) => database.Read(c =>
    {
        using var command = c.CreateCommand();
        command.CommandText = "SELECT 1 FROM tombstone WHERE id = $r OR name = $r OR external_id = $r LIMIT 1";
        command.Parameters.AddWithValue("$r", reference);
        return command.ExecuteScalar() is not null;
    });

    /// <summary>Reads all records; those that cannot be read are moved to the quarantine first.</summary>
    public async Task<LoadedSandboxes> LoadAsync()
    {
        var good = new List<SandboxRecord>();
        var bad = new List<(string Id, string Body, string Error)>();
        foreach (var (id, name, body) in database.Read(Rows))
        {
            if (TryParse(id, name, body, out var record, out var error))
            {
                good.Add(record);
            }
            else
            {
                bad.Add((id, body, error));
            }
        }

        if (bad.Count > 0)
        {
            var now = time.GetUtcNow().ToUnixTimeMilliseconds();
            await database.WriteAsync(c =>
            {
                foreach (var (id, body, error) in bad)
                {
                    Run(c, "INSERT OR REPLACE INTO quarantine(id, body, error, unix_ms) VALUES ($id, $body, $error, $now)", ("$id", id), ("$body", body), ("$error", error), ("$now", now));
                    Run(c, "DELETE FROM sandbox WHERE id = $id", ("$id", id));
                }
            }).ConfigureAwait(false);
        }

        return new LoadedSandboxes(good, database.Read(QuarantinedRows));
    }

    /// <summary>Forgets a quarantined record.</summary>
    public Task ReleaseQuarantinedAsync(string id) => database.WriteAsync(c => Run(c, "DELETE FROM quarantine WHERE id = $id", ("$id", id)));

    private static bool TryParse(string id, string name, string body, out SandboxRecord record, out string error)
    {
        record = null!;
        try
        {
            record = JsonSerializer.Deserialize(body, StateJson.Default.SandboxRecord)!;
            error = record is null ? "the record is null"
                : record.Id.Value != id ? "the record carries another id"
                : record.Name != name ? "the record carries another name"
                : !SandboxStates.IsKnown(record.State) ? $"unknown state '{record.State}'"
                : string.Empty;
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            error = e.Message;
        }

        return error.Length == 0;
    }

    private static List<(string Id, string Name, string Body)> Rows(SqliteConnection connection)
    {
        var rows = new List<(string, string, string)>();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT id, name, body FROM sandbox ORDER BY created_unix_ms, id";
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            rows.Add((reader.GetString(0), reader.GetString(1), reader.GetString(2)));
        }

        return rows;
    }

    private static IReadOnlyList<QuarantinedSandbox> QuarantinedRows(SqliteConnection connection)
    {
        var rows = new List<QuarantinedSandbox>();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT id, error, unix_ms FROM quarantine ORDER BY id";
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            rows.Add(new QuarantinedSandbox(reader.GetString(0), reader.GetString(1), reader.GetInt64(2)));
        }

        return rows;
    }

    private static string Serialize(SandboxRecord record) => JsonSerializer.Serialize(record, StateJson.Default.SandboxRecord);

    private static void Update(SqliteConnection connection, SandboxRecord record, string body) =>
        Run(connection, "UPDATE sandbox SET state = $state, body = $body WHERE id = $id", ("$id", record.Id.Value), ("$state", record.State), ("$body", body));

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

/// <summary>What the database held at start.</summary>
internal sealed record LoadedSandboxes(IReadOnlyList<SandboxRecord> Records, IReadOnlyList<QuarantinedSandbox> Quarantined);

/// <summary>A sandbox whose record cannot be read.</summary>
public sealed record QuarantinedSandbox(string Id, string Error, long UnixMs);
