using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Vivarium.Host.State;
using Vivarium.Host.Tests.Support;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.State;

public sealed class SandboxTableTests : IDisposable
{
    private readonly TestDirectory directory = new();
    private readonly StateDatabase database;
    private readonly SandboxTable table;

    public SandboxTableTests()
    {
        database = StateDatabase.Open(directory.File("v.db"), NullLogger.Instance);
        table = new SandboxTable(database, TimeProvider.System);
    }

    public void Dispose()
    {
        database.Dispose();
        directory.Dispose();
    }

    [Fact]
    public async Task A_record_comes_back_as_it_went_in()
    {
        var record = Records.Make("one") with { Labels = new Dictionary<string, string> { ["a"] = "b" }, ExternalId = "x-1", IdleTimeoutMs = 5 };
        await table.InsertAsync(record);
        var loaded = Assert.Single((await table.LoadAsync()).Records);
        Assert.Equal(record with { Labels = null, Resources = loaded.Resources }, loaded with { Labels = null });
        Assert.Equal(record.Resources, loaded.Resources);
        Assert.Equal("b", loaded.Labels!["a"]);
    }

    [Fact]
    public async Task A_taken_name_is_refused_by_the_database_too()
    {
        await table.InsertAsync(Records.Make("one"));
        var error = await Assert.ThrowsAsync<VivariumException>(() => table.InsertAsync(Records.Make("one")));
        Assert.Equal(ErrorCode.AlreadyExists, error.Code);
    }

    [Theory]
    [InlineData("UPDATE sandbox SET body = '{'")]
    [InlineData("UPDATE sandbox SET body = 'null'")]
    [InlineData("UPDATE sandbox SET body = '{}'")]
    [InlineData("UPDATE sandbox SET body = replace(body, '\"running\"', '\"dancing\"')")]
    [InlineData("UPDATE sandbox SET name = 'another'")]
    public async Task A_corrupt_record_is_set_aside_and_the_others_load(string damage)
    {
        var bad = Records.Make("bad");
        await table.InsertAsync(bad);
        await database.WriteAsync(c => Run(c, damage));
        await table.InsertAsync(Records.Make("good"));

        var loaded = await table.LoadAsync();
        Assert.Equal("good", Assert.Single(loaded.Records).Name);
        Assert.Equal(bad.Id.Value, Assert.Single(loaded.Quarantined).Id);

        // Still so for the next daemon, until somebody lets it go.
        Assert.Single((await table.LoadAsync()).Quarantined);
        await table.ReleaseQuarantinedAsync(bad.Id.Value);
        Assert.Empty((await table.LoadAsync()).Quarantined);
    }

    [Fact]
    public async Task What_is_gone_is_remembered_by_all_its_names()
    {
        var record = Records.Make("one") with { ExternalId = "ext" };
        await table.InsertAsync(record);
        Assert.False(table.WasKnown("one"));
        await table.DeleteAsync(record);
        Assert.Empty((await table.LoadAsync()).Records);
        Assert.All(new[] { record.Id.Value, "one", "ext" }, r => Assert.True(table.WasKnown(r)));
        Assert.False(table.WasKnown("two"));
    }

    [Fact]
    public async Task Updates_replace_the_record()
    {
        var record = Records.Make("one");
        await table.InsertAsync(record);
        await table.UpdateAsync(record with { State = SandboxState.Stopped, Reason = "requested" });
        Assert.Equal("requested", Assert.Single((await table.LoadAsync()).Records).Reason);
    }

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        Assert.Equal(1, command.ExecuteNonQuery());
    }
}
