using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Vivarium.Host.State;
using Vivarium.Host.Tests.Support;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Tests.State;

public sealed class StateDatabaseTests : IDisposable
{
    private readonly TestDirectory directory = new();

    private string Path => directory.File("v.db");

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task A_write_that_was_awaited_is_there_after_reopening()
    {
        using (var database = Open())
        {
            await database.WriteAsync(c => Run(c, "INSERT INTO setting VALUES ('a', '1')"));
        }

        using var again = Open();
        Assert.Equal(1L, again.Read(c => Scalar(c, "SELECT count(*) FROM setting")));
    }

    [Fact]
    public void A_lazy_write_is_there_after_a_clean_close()
    {
        using (var database = Open())
        {
            database.WriteLazily(c => Run(c, "INSERT INTO setting VALUES ('a', '1')"));
        }

        using var again = Open();
        Assert.Equal(1L, again.Read(c => Scalar(c, "SELECT count(*) FROM setting")));
    }

    [Fact]
    public async Task A_refused_write_does_not_undo_its_neighbours()
    {
        using var database = Open();
        var writes = new List<Task>();
        for (var i = 0; i < 50; i++)
        {
            var key = i % 10 == 9 ? "same" : "key" + i;
            writes.Add(database.WriteAsync(c => Run(c, $"INSERT INTO setting VALUES ('{key}', 'x')")));
        }

        foreach (var (write, i) in writes.Select(static (w, i) => (w, i)))
        {
            if (i % 10 == 9 && i != 9)
            {
                Assert.Equal(ErrorCode.AlreadyExists, (await Assert.ThrowsAsync<VivariumException>(() => write)).Code);
            }
            else
            {
                await write;
            }
        }

        Assert.Equal(46L, database.Read(c => Scalar(c, "SELECT count(*) FROM setting")));
    }

    [Fact]
    public void A_newer_schema_is_refused_by_name_and_left_alone()
    {
        Open().Dispose();
        Change("PRAGMA user_version = 99");
        var error = Assert.Throws<VivariumException>(Open);
        Assert.Equal("newer_schema", error.Reason);
        Assert.Contains("schema 99", error.Message, StringComparison.Ordinal);
        Assert.Equal(99L, Look("PRAGMA user_version"));
    }

    [Fact]
    public void A_damaged_file_is_data_loss_not_a_crash()
    {
        File.WriteAllBytes(Path, [.. Enumerable.Repeat((byte)'x', 8192)]);
        Assert.Equal("database_damaged", Assert.Throws<VivariumException>(Open).Reason);
    }

    [Fact]
    public void The_file_is_readable_by_its_owner_alone()
    {
        Open().Dispose();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path));
    }

    [Fact]
    public void Tables_are_strict()
    {
        using var database = Open();
        Assert.Equal(0L, database.Read(c => Scalar(c, "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' AND strict = 0")));
    }

    [Fact]
    public async Task Writing_after_the_end_is_refused()
    {
        var database = Open();
        database.Dispose();
        Assert.Equal(ErrorCode.Unavailable, (await Assert.ThrowsAsync<VivariumException>(() => database.WriteAsync(static _ => { }))).Code);
    }

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static object? Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    private StateDatabase Open() => StateDatabase.Open(Path, NullLogger.Instance);

    private void Change(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path};Pooling=False");
        connection.Open();
        Run(connection, sql);
    }

    private object? Look(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path};Pooling=False");
        connection.Open();
        return Scalar(connection, sql);
    }
}
