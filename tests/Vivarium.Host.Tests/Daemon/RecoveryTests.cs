using Microsoft.Data.Sqlite;
using Vivarium.Host.Tests.Support;
using Vivarium.Linux.Processes;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Daemon;

[Collection(DaemonTests.Name)]
public sealed class RecoveryTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_killed_daemon_is_not_noticed_in_the_sandboxes_and_its_successor_finds_them()
    {
        await using var daemon = await TestDaemon.StartAsync();
        var made = await Task.WhenAll(Enumerable.Range(0, 3).Select(i => daemon.CreateAsync($"box-{i}")));
        await using (var client = await daemon.ConnectAsync())
        {
            await client.LaunchAsync(new LaunchProcessParams { Ref = "box-0", Request = new ExecRequest { Argv = ["sh", "-c", "while true; do echo x >> /root/ticks; sleep 0.05; done"] } }, None);
            await client.PauseAsync("box-1", None);
            await client.StopAsync(new StopSandboxParams { Ref = "box-2" }, None);
        }

        await daemon.KillAsync();
        await daemon.StartAgainAsync();
        await Eventually.True(async () => (await daemon.ListAsync()).All(static s => s.State is SandboxState.Stopped || s.SupervisorPid != 0));
        var found = (await daemon.ListAsync()).OrderBy(static s => s.Name).ToList();
        Assert.Equal([SandboxState.Running, SandboxState.Paused, SandboxState.Stopped], found.Select(static s => s.State));
        Assert.Equal(made.Take(2).Select(static s => (s.Id, s.BootId, s.SupervisorPid)), found.Take(2).Select(static s => (s.Id, s.BootId, s.SupervisorPid)));
        var before = (await daemon.RunAsync("box-0", "wc", "-l", "/root/ticks")).Stdout;
        await Eventually.True(async () => (await daemon.RunAsync("box-0", "wc", "-l", "/root/ticks")).Stdout != before);
        await using var again = await daemon.ConnectAsync();
        Assert.Equal(SandboxState.Running, (await again.ResumeAsync("box-1", None)).State);
        Assert.Equal(SandboxState.Running, (await again.StartAsync("box-2", None)).State);
    }

    [Fact]
    public async Task Requests_right_after_a_start_wait_for_reattachment()
    {
        await using var daemon = await TestDaemon.StartAsync();
        await daemon.CreateAsync("box");
        await daemon.KillAsync();
        await daemon.StartAgainAsync();
        Assert.Equal(0, (await daemon.RunAsync("box", "true")).Exit.Code);
    }

    [Fact]
    public async Task A_clean_stop_leaves_sandboxes_running()
    {
        await using var daemon = await TestDaemon.StartAsync();
        var made = await daemon.CreateAsync("box");
        Assert.Equal(0, await daemon.StopAsync());
        Assert.False(File.Exists(daemon.Socket));
        Assert.True(Directory.Exists($"/proc/{made.SupervisorPid}"));
        await daemon.StartAgainAsync();
        Assert.Equal(0, (await daemon.RunAsync("box", "true")).Exit.Code);
        Assert.Equal(made.BootId, (await daemon.GetAsync("box")).BootId);
    }

    [Fact]
    public async Task A_clean_stop_in_the_middle_of_creating_takes_little_time_and_leaves_nothing_half_made()
    {
        await using var daemon = await TestDaemon.StartAsync();
        await daemon.CreateAsync("first");
        var creating = Enumerable.Range(0, 5).Select(async _ =>
        {
            try
            {
                return (await daemon.CreateAsync()).Id;
            }
            catch (VivariumException)
            {
                return null;
            }
        }).ToList();
        await Task.Delay(TimeSpan.FromMilliseconds(60), TimeProvider.System);
        Assert.Equal(0, await daemon.StopAsync().WaitAsync(TimeSpan.FromSeconds(15)));
        var made = (await Task.WhenAll(creating)).OfType<string>().Count();
        await daemon.StartAgainAsync();
        await Eventually.True(async () => (await daemon.ListAsync()).All(static s => s is { State: SandboxState.Running, SupervisorPid: > 0 }));
        Assert.InRange((await daemon.ListAsync()).Count, 1 + made, 6);
    }

    [Theory]
    [InlineData("supervisor")]
    [InlineData("engine")]
    public async Task A_killed_supervisor_or_guest_is_noticed_within_two_seconds(string victim)
    {
        await using var daemon = await TestDaemon.StartAsync();
        var made = await daemon.CreateAsync("box");
        var pid = victim == "supervisor" ? made.SupervisorPid : EnginePid(daemon, made.Id);
        Assert.True(Signals.Send(pid, Signals.SIGKILL));
        await Eventually.True(async () => (await daemon.GetAsync("box")).State == SandboxState.Failed, TimeSpan.FromSeconds(2));
        var failed = await daemon.GetAsync("box");
        Assert.False(string.IsNullOrEmpty(failed.Reason));
        Assert.False(string.IsNullOrEmpty(failed.Message));
        Assert.False(Directory.Exists(Path.Combine(daemon.Runtime, made.Id)));
        await using var client = await daemon.ConnectAsync();
        Assert.Equal(SandboxState.Running, (await client.StartAsync("box", None)).State);
        Assert.Equal(0, (await daemon.RunAsync("box", "true")).Exit.Code);
    }

    [Fact]
    public async Task A_supervisor_that_died_while_no_daemon_watched_is_recorded_and_reclaimed()
    {
        await using var daemon = await TestDaemon.StartAsync();
        var made = await daemon.CreateAsync("box");
        await daemon.KillAsync();
        Assert.True(Signals.Send(made.SupervisorPid, Signals.SIGKILL));
        await daemon.StartAgainAsync();
        await Eventually.True(async () => (await daemon.GetAsync("box")).State == SandboxState.Failed, TimeSpan.FromSeconds(5));
        Assert.Equal("supervisor_died", (await daemon.GetAsync("box")).Reason);
        Assert.False(Directory.Exists(Path.Combine(daemon.Runtime, made.Id)));
    }

    [Theory]
    [InlineData(7)]
    [InlineData(23)]
    public async Task Killed_at_random_points_every_sandbox_is_whole_or_gone(int seed)
    {
        var random = new Random(seed);
        await using var daemon = await TestDaemon.StartAsync();
        await daemon.CreateAsync("first");
        await daemon.DestroyAsync("first");
        for (var round = 0; round < 6; round++)
        {
            var work = Enumerable.Range(0, 3).Select(async i =>
            {
                try
                {
                    var made = await daemon.CreateAsync($"r{round}-{i}");
                    if (i > 0)
                    {
                        await daemon.DestroyAsync(made.Id);
                    }
                }
                catch (VivariumException)
                {
                    // The daemon dies under it: that is the test.
                }
            }).ToList();
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(0, 250)), TimeProvider.System);
            await daemon.KillAsync();
            await Task.WhenAll(work);
            await daemon.StartAgainAsync();
            await Eventually.True(
                async () => (await daemon.ListAsync()).All(static s => s.State == SandboxState.Running && s.SupervisorPid != 0), TimeSpan.FromSeconds(20));
            foreach (var sandbox in await daemon.ListAsync())
            {
                Assert.Equal(0, (await daemon.RunAsync(sandbox.Id, "true")).Exit.Code);
            }
        }

        await daemon.DestroyAllAsync();
        await daemon.EmptyAsync();
    }

    [Fact]
    public async Task What_belongs_to_no_record_is_removed()
    {
        await using var daemon = await TestDaemon.StartAsync();
        var made = await daemon.CreateAsync("box");
        await daemon.StopAsync();
        using (var connection = new SqliteConnection($"Data Source={Path.Combine(daemon.State, "vivarium.db")};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "DELETE FROM sandbox";
            Assert.Equal(1, command.ExecuteNonQuery());
        }

        await daemon.StartAgainAsync();
        Assert.Empty(await daemon.ListAsync());
        await daemon.EmptyAsync();

        // Gone, or a corpse its adoptive parent has not looked at yet: one has no command line either way.
        var arguments = $"/proc/{made.SupervisorPid}/cmdline";
        Assert.True(!File.Exists(arguments) || (await File.ReadAllBytesAsync(arguments)).Length == 0);
    }

    [Fact]
    public async Task A_corrupt_record_sets_one_sandbox_aside()
    {
        await using var daemon = await TestDaemon.StartAsync();
        var bad = await daemon.CreateAsync("bad");
        await daemon.CreateAsync("good");
        await daemon.StopAsync();
        using (var connection = new SqliteConnection($"Data Source={Path.Combine(daemon.State, "vivarium.db")};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "UPDATE sandbox SET body = '{\"broken\":' WHERE name = 'bad'";
            Assert.Equal(1, command.ExecuteNonQuery());
        }

        await daemon.StartAgainAsync();
        Assert.Equal("good", Assert.Single(await daemon.ListAsync()).Name);
        Assert.Equal(0, (await daemon.RunAsync("good", "true")).Exit.Code);
        await using var client = await daemon.ConnectAsync();
        Assert.Contains((await client.HealthAsync(None)).Conditions, c => c.Name == "quarantine" && c.Message.Contains(bad.Id, StringComparison.Ordinal));
        Assert.True(Directory.Exists(Path.Combine(daemon.State, "pool/sandboxes", bad.Id)), "its data is left alone");
        await client.DestroyAsync(new DestroyParams { Ref = bad.Id, Force = true }, None);
        Assert.DoesNotContain((await client.HealthAsync(None)).Conditions, static c => c.Name == "quarantine");
    }

    [Fact]
    public async Task A_second_daemon_is_refused_and_a_newer_database_too()
    {
        await using var daemon = await TestDaemon.StartAsync();
        var second = await daemon.Spawn().Exited.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(125, second.Code);
        Assert.Contains("another one uses", daemon.Log, StringComparison.Ordinal);
        await daemon.ListAsync();

        await daemon.StopAsync();
        SetVersion(daemon, 99);
        Assert.Equal(125, (await daemon.Spawn().Exited.WaitAsync(TimeSpan.FromSeconds(20))).Code);
        Assert.Contains("newer Vivarium", daemon.Log, StringComparison.Ordinal);
        SetVersion(daemon, Vivarium.Host.State.StateMigrations.Current);
    }

    private static void SetVersion(TestDaemon daemon, int version)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(daemon.State, "vivarium.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"PRAGMA user_version = {version}";
        command.ExecuteNonQuery();
    }

    private static int EnginePid(TestDaemon daemon, string id) =>
        int.Parse(File.ReadAllText(Path.Combine(daemon.Runtime, id, "init.pid")).Trim(), System.Globalization.CultureInfo.InvariantCulture);
}
