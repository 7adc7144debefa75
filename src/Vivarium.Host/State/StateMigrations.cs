using System.Globalization;
using Microsoft.Data.Sqlite;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.State;

/// <summary>
/// The schema, one step per version (<c>PRAGMA user_version</c>). A step is never changed once released; a new one is added. All steps a database lacks
/// are applied in one transaction, so that a crash leaves the old schema or the new one.
/// </summary>
internal static class StateMigrations
{
    private static readonly string[] Steps =
    [
        """
        CREATE TABLE sandbox(
            id              TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 20),
            name            TEXT    NOT NULL UNIQUE,
            external_id     TEXT    UNIQUE,
            state           TEXT    NOT NULL,
            created_unix_ms INTEGER NOT NULL,
            body            TEXT    NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- Sandboxes whose record cannot be read: kept for a person to look at, their volume untouched.
        CREATE TABLE quarantine(
            id      TEXT    NOT NULL PRIMARY KEY,
            body    TEXT    NOT NULL,
            error   TEXT    NOT NULL,
            unix_ms INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- What once was: destroying it again is not an error.
        CREATE TABLE tombstone(
            seq         INTEGER PRIMARY KEY,
            id          TEXT NOT NULL UNIQUE,
            name        TEXT NOT NULL,
            external_id TEXT,
            unix_ms     INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX tombstone_name ON tombstone(name);
        CREATE INDEX tombstone_external_id ON tombstone(external_id) WHERE external_id IS NOT NULL;

        CREATE TABLE event(
            sequence INTEGER PRIMARY KEY,
            body     TEXT NOT NULL
        ) STRICT;

        CREATE TABLE setting(
            key   TEXT NOT NULL PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        """,
        """
        -- The volume and the hold stand beside the body so that the data of a record nobody can read is left alone.
        CREATE TABLE snapshot(
            id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 20),
            sandbox_id TEXT    NOT NULL,
            sequence   INTEGER NOT NULL,
            volume     TEXT    NOT NULL,
            held       INTEGER NOT NULL,
            body       TEXT    NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX snapshot_sandbox ON snapshot(sandbox_id, sequence);
        """,
    ];

    /// <summary>Version this program writes.</summary>
    public static int Current => Steps.Length;

    /// <summary>Brings the database up to <see cref="Current"/>; refuses one that is newer.</summary>
    public static void Apply(SqliteConnection connection, string path)
    {
        var version = Convert.ToInt32(Scalar(connection, "PRAGMA user_version"), CultureInfo.InvariantCulture);
        if (version > Current)
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"opening the state database {path}: it was written by a newer Vivarium (schema {version}, this program knows {Current})",
                "Start the newer version again, or give this one another state directory.",
                "newer_schema");
        }

        if (version == Current)
        {
            return;
        }

        using var transaction = connection.BeginTransaction(deferred: false);
        for (var step = version; step < Current; step++)
        {
            using var command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = Steps[step];
            command.ExecuteNonQuery();
        }

        using var mark = connection.CreateCommand();
        mark.Transaction = transaction;
        mark.CommandText = $"PRAGMA user_version = {Current.ToString(CultureInfo.InvariantCulture)}";
        mark.ExecuteNonQuery();
        transaction.Commit();
    }

    private static object? Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
