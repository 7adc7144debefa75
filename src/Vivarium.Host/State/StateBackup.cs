using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Vivarium.Host.State;

/// <summary>The copy of the database made before a newer program changes its form: the way back when the newer program is not wanted after all.</summary>
internal static class StateBackup
{
    private const string Infix = ".before-v";

    /// <summary>Copies a database that is about to be migrated; returns the copy, or null when nothing will be changed. It has the mode 0600 of the database.</summary>
    public static string? Make(SqliteConnection connection, string path)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA user_version";
        var version = Convert.ToInt32(command.ExecuteScalar(), CultureInfo.InvariantCulture);
        if (version == 0 || version >= StateMigrations.Current)
        {
            return null;
        }

        var copy = path + Infix + StateMigrations.Current.ToString(CultureInfo.InvariantCulture);
        var partial = copy + ".partial";
        using (new FileStream(partial, new FileStreamOptions
        {
            Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
        }

        using (var target = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = partial, Pooling = false }.ToString()))
        {
            target.Open();
            connection.BackupDatabase(target);
        }

        using (var written = new FileStream(partial, FileMode.Open, FileAccess.ReadWrite))
        {
            written.Flush(flushToDisk: true);
        }

        File.Move(partial, copy, overwrite: true);
        return copy;
    }

    /// <summary>The newest copy there is.</summary>
    public static string? Newest(string path)
    {
        var directory = Path.GetDirectoryName(path)!;
        return Directory.Exists(directory)
            ? Directory.EnumerateFiles(directory, Path.GetFileName(path) + Infix + "*")
                .Where(static file => !file.EndsWith(".partial", StringComparison.Ordinal))
                .MaxBy(File.GetLastWriteTimeUtc)
            : null;
    }
}
