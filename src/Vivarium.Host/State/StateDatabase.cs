using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.State;

/// <summary>
/// SQLite in WAL mode with <c>synchronous=FULL</c>: what a caller was told is on disk. One thread writes; everything that waits for it at the same
/// moment shares one transaction (group commit), each write in its own savepoint so that one refused write does not undo its neighbours.
/// </summary>
/// <remarks>
/// <see cref="WriteAsync"/> is for intent (it completes after the fsync); <see cref="WriteLazily"/> is for observed state and events, which the next
/// start can find again by looking: it is written with the next transaction, at the latest after <see cref="LazyDelay"/>.
/// </remarks>
public sealed partial class StateDatabase : IDisposable
{
    /// <summary>How long a lazy write may wait for company.</summary>
    public static readonly TimeSpan LazyDelay = TimeSpan.FromMilliseconds(100);

    private readonly BlockingCollection<Write> queue = new(new ConcurrentQueue<Write>());
    private readonly string connectionString;
    private readonly SqliteConnection connection;
    private readonly Thread writer;
    private readonly ILogger logger;

    private StateDatabase(string connectionString, SqliteConnection connection, ILogger logger)
    {
        this.connectionString = connectionString;
        this.connection = connection;
        this.logger = logger;
        writer = new Thread(RunWriter) { IsBackground = true, Name = "state-writer" };
        writer.Start();
    }

    /// <summary>Opens (and creates or migrates) the database and checks it.</summary>
    /// <exception cref="VivariumException"><c>data_loss</c> when it is damaged, <c>failed_precondition</c> when it is newer than this program.</exception>
    public static StateDatabase Open(string path, ILogger logger)
    {
        var text = new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = 5 }.ToString();
        var connection = new SqliteConnection(text);
        try
        {
            if (!File.Exists(path))
            {
                // Environment values of sandboxes are in here: nobody but root reads it. SQLite gives its side files the same mode.
                using var created = new FileStream(path, new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                });
            }

            connection.Open();
            Execute(connection, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;");
            using var check = connection.CreateCommand();
            check.CommandText = "PRAGMA quick_check(1)";
            if (check.ExecuteScalar() is not "ok")
            {
                throw Damaged(path, null);
            }

            if (StateBackup.Make(connection, path) is { } copy)
            {
                LogBackup(logger, copy);
            }

            StateMigrations.Apply(connection, path);
            return new StateDatabase(text, connection, logger);
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            connection.Dispose();
            throw Unopenable(path, e);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Writes and completes when it is on disk.</summary>
    public Task WriteAsync(Action<SqliteConnection> work)
    {
        var write = new Write(work, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        return Enqueue(write) ? write.Done!.Task : Task.FromException(Closed());
    }

    /// <summary>Writes soon. A failure is logged; a crash may lose it.</summary>
    public void WriteLazily(Action<SqliteConnection> work) => Enqueue(new Write(work, null));

    /// <summary>Reads on a connection of its own: a reader never waits for the writer.</summary>
    public T Read<T>(Func<SqliteConnection, T> work)
    {
        using var reader = new SqliteConnection(connectionString);
        reader.Open();
        return work(reader);
    }

    /// <summary>Looks at every page and index, which takes a moment with many rows; null when all is well, else what is not.</summary>
    public string? Check()
    {
        try
        {
            return Read(static c =>
            {
                using var command = c.CreateCommand();
                command.CommandText = "PRAGMA integrity_check(1)";
                var said = command.ExecuteScalar() as string;
                return said == "ok" ? null : said ?? "the check gave no answer";
            });
        }
        catch (SqliteException e)
        {
            return e.Message;
        }
    }

    /// <summary>Writes what is waiting and closes the file.</summary>
    public void Dispose()
    {
        if (queue.IsAddingCompleted)
        {
            return;
        }

        queue.CompleteAdding();
        writer.Join();
        connection.Dispose();
        queue.Dispose();
    }

    private bool Enqueue(Write write)
    {
        try
        {
            queue.Add(write);
            return true;
        }
        catch (Exception e) when (e is InvalidOperationException or ObjectDisposedException)
        {
            return false;
        }
    }

    private void RunWriter()
    {
        var batch = new List<Write>();
        while (queue.TryTake(out var first, Timeout.Infinite))
        {
            batch.Add(first);
            Gather(batch);
            Commit(batch);
            batch.Clear();
        }
    }

    private void Gather(List<Write> batch)
    {
        // Nobody waits for a lazy write, so it waits for somebody: one fsync instead of many.
        var until = Environment.TickCount64 + (long)LazyDelay.TotalMilliseconds;
        while (batch.TrueForAll(static w => w.Done is null) && !queue.IsAddingCompleted)
        {
            var left = until - Environment.TickCount64;
            if (left <= 0 || !queue.TryTake(out var next, (int)left))
            {
                break;
            }

            batch.Add(next);
        }

        while (queue.TryTake(out var more))
        {
            batch.Add(more);
        }
    }

    private void Commit(List<Write> batch)
    {
        var failures = new Exception?[batch.Count];
        try
        {
            Execute(connection, "BEGIN IMMEDIATE");
            for (var i = 0; i < batch.Count; i++)
            {
                failures[i] = TryWrite(batch[i], alone: batch.Count == 1);
            }

            Execute(connection, "COMMIT");
        }
        catch (Exception e)
        {
            TryRollback();
            Array.Fill(failures, e);
        }

        for (var i = 0; i < batch.Count; i++)
        {
            if (failures[i] is not { } failure)
            {
                batch[i].Done?.SetResult();
                continue;
            }

            LogWriteFailed(failure);
            batch[i].Done?.SetException(Translate(failure));
        }
    }

    private Exception? TryWrite(Write write, bool alone)
    {
        if (alone)
        {
            write.Work(connection);
            return null;
        }

        Execute(connection, "SAVEPOINT one");
        try
        {
            write.Work(connection);
            Execute(connection, "RELEASE one");
            return null;
        }
        catch (Exception e)
        {
            Execute(connection, "ROLLBACK TO one; RELEASE one");
            return e;
        }
    }

    private void TryRollback()
    {
        try
        {
            Execute(connection, "ROLLBACK");
        }
        catch (SqliteException e)
        {
            // SQLite has already rolled back by itself (disk full, I/O error).
            LogRollbackFailed(e);
        }
    }

    private static VivariumException Translate(Exception e) => e switch
    {
        VivariumException known => known,
        SqliteException { SqliteErrorCode: 13 } => new(ErrorCode.ResourceExhausted, "writing the state database: the disk is full", "Free space in the state directory.", "disk_full", e),
        SqliteException { SqliteErrorCode: 19 } => new(ErrorCode.AlreadyExists, "writing the state database: the name or id is taken", null, "name_taken", e),
        _ => new(ErrorCode.Internal, "writing the state database failed: " + e.Message, "Look at the daemon's log and at the disk.", "state_write_failed", e),
    };

    /// <summary>Result codes of SQLite: 5 busy, 6 locked, 8 read-only, 10 I/O error, 13 full, 14 cannot open. Anything else means the content is not what it should be.</summary>
    private static VivariumException Unopenable(string path, Exception e) => (e as SqliteException)?.SqliteErrorCode switch
    {
        13 => DiskFull(path, e),
        null when IsDiskFull(e) => DiskFull(path, e),
        5 or 6 => new(
            ErrorCode.Unavailable, $"opening the state database {path}: another program holds it", "End that program (a database browser?) and start again.", "database_locked", e),
        null or 8 or 10 or 14 => new(
            ErrorCode.Unavailable,
            $"opening the state database {path}: it cannot be read or written ({e.Message})",
            "Nothing is wrong with its content as far as is known: look at the permissions and the disk of the state directory, then start again.",
            "database_unopenable",
            e),
        _ => Damaged(path, e),
    };

    private static bool IsDiskFull(Exception e) => e is IOException && e.Message.Contains("No space left", StringComparison.Ordinal);

    private static VivariumException DiskFull(string path, Exception e) => new(
        ErrorCode.ResourceExhausted, $"opening the state database {path}: the disk is full", "Free space in the state directory and start again; the database is as it was.", "disk_full", e);

    private static VivariumException Damaged(string path, Exception? inner) => new(
        ErrorCode.DataLoss,
        $"opening the state database {path}: it is damaged" + (inner is null ? string.Empty : $" ({inner.Message})"),
        "Restore a copy ("
        + (StateBackup.Newest(path) is { } copy ? $"there is {copy}" : $"{Path.GetFileName(path)}.before-vN is made before each change of its form")
        + "), or move it away with its -wal and -shm files and start again: a new one is made, sandboxes of the old one are removed as orphans.",
        "database_damaged",
        inner);

    private static VivariumException Closed() => new(ErrorCode.Unavailable, "writing the state database: the daemon is stopping", "Try again when it is back.", "stopping");

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private sealed record Write(Action<SqliteConnection> Work, TaskCompletionSource? Done);

    [LoggerMessage(EventId = 1003, Level = LogLevel.Information, Message = "the state database has an older form; it was copied to {Copy} before it is changed")]
    private static partial void LogBackup(ILogger logger, string copy);

    [LoggerMessage(EventId = 1001, Level = LogLevel.Error, Message = "a write to the state database failed")]
    private partial void LogWriteFailed(Exception exception);

    [LoggerMessage(EventId = 1002, Level = LogLevel.Debug, Message = "rolling back found nothing to roll back")]
    private partial void LogRollbackFailed(Exception exception);
}
