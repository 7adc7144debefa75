using System.Text.Json;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Lifecycle;

/// <summary>Sandboxes from create to rm, as a user drives them.</summary>
[Collection(TinyCollection.Name)]
public sealed class LifecycleTests(PrivateDaemon daemon) : VivTest(daemon)
{
    [Theory, MemberData(nameof(Runtimes))]
    public async Task Files_survive_stop_and_start_and_processes_do_not(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        await box.ShAsync("echo kept >/root/note; sleep 1000 >/dev/null 2>&1 &");
        await Viv.RunAsync("stop", box.Name);
        Assert.Equal("stopped", await box.StateAsync());
        (await box.TryExecAsync("true")).MustRefuse("stopped");
        await Viv.RunAsync("start", box.Name);
        Assert.Equal("kept\n", (await box.ShAsync("cat /root/note")).Stdout);
        Assert.DoesNotContain("sleep 1000", (await box.ShAsync("ps")).Stdout, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task Restart_gives_a_new_boot_of_the_same_sandbox(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        var boot = (await box.ShowAsync()).GetProperty("boot_id").GetString();
        await Viv.RunAsync("restart", box.Id);
        var info = await box.ShowAsync();
        Assert.Equal("running", info.GetProperty("state").GetString());
        Assert.NotEqual(boot, info.GetProperty("boot_id").GetString());
    }

    [Fact]
    public async Task Pause_freezes_every_process_and_resume_lets_them_go_on()
    {
        await using var box = await Daemon.CreateAsync();
        await box.ShAsync("(i=0; while :; do i=$((i+1)); echo $i >/tmp/count; sleep 0.05; done) >/dev/null 2>&1 &");
        await Eventually.HoldsAsync(async () => (await box.TryExecAsync("cat", "/tmp/count")).Stdout.Length > 0, TimeSpan.FromSeconds(5), "the counter counts");
        await Viv.RunAsync("pause", box.Name);
        Assert.Equal("paused", await box.StateAsync());
        (await box.TryExecAsync("true")).MustRefuse("paused");
        await Viv.RunAsync("resume", box.Name);
        var seen = (await box.ShAsync("cat /tmp/count")).Stdout;
        await Eventually.HoldsAsync(async () => (await box.ShAsync("cat /tmp/count")).Stdout != seen, TimeSpan.FromSeconds(5), "the counter counts again");
    }

    [Fact]
    public async Task A_running_sandbox_is_removed_only_with_force_and_removing_twice_is_clear()
    {
        await using var box = await Daemon.CreateAsync("--name", "stubborn");
        (await Viv.TryAsync("rm", "stubborn")).MustRefuse("running", "-f");
        await Viv.RunAsync("rm", "-f", "stubborn");
        Assert.DoesNotContain(await Daemon.ListAsync(), s => s.GetProperty("name").GetString() == "stubborn");
    }

    [Fact]
    public async Task Several_sandboxes_in_one_call_and_references_by_prefix()
    {
        await using var one = await Daemon.CreateAsync("--name", "alpha-one");
        await using var two = await Daemon.CreateAsync("--name", "alpha-two");
        await using var three = await Daemon.CreateAsync("--name", "beta-three");
        (await Viv.TryAsync("show", "alpha")).MustRefuse("alpha", "ambiguous");
        Assert.Equal(three.Id, (await Viv.JsonAsync("show", "beta")).GetProperty("id").GetString());
        Assert.Equal(one.Id, (await Viv.JsonAsync("show", one.Id[..10])).GetProperty("id").GetString());
        await Viv.RunAsync("rm", "-f", "alpha-one", "alpha-two");
        Assert.Single(await Daemon.ListAsync());
    }

    [Fact]
    public async Task Detached_runs_stay_and_can_be_looked_into()
    {
        var printed = (await Viv.RunAsync("run", "-d", "--name", "service", "--", "sh", "-c", "echo started; sleep 1000")).Stdout.Trim();
        try
        {
            Assert.Contains(await Daemon.ListAsync(), s => s.GetProperty("name").GetString() == "service");
            Assert.NotEmpty(printed);
            Assert.Contains("sleep 1000", (await Viv.RunAsync("ps", "service")).Stdout, StringComparison.Ordinal);
            var pid = (await ProcessesAsync("service")).First(p => Command(p).Contains("sleep 1000", StringComparison.Ordinal)).GetProperty("pid").GetInt32();
            await Eventually.HoldsAsync(async () => (await Viv.RunAsync("logs", "service", $"{pid}")).Stdout.Contains("started", StringComparison.Ordinal), TimeSpan.FromSeconds(5), "the log has the output");
            await Viv.RunAsync("kill", "service", $"{pid}");
            await Eventually.HoldsAsync(async () => !(await Viv.RunAsync("exec", "service", "--", "ps")).Stdout.Contains("sleep 1000", StringComparison.Ordinal), TimeSpan.FromSeconds(5), "the process is gone");
        }
        finally
        {
            await Viv.TryAsync("rm", "-f", "service");
        }
    }

    [Fact]
    public async Task Prune_removes_what_has_ended_and_nothing_else()
    {
        await using var ended = await Daemon.CreateAsync("--name", "ended");
        await using var running = await Daemon.CreateAsync("--name", "alive");
        await Viv.RunAsync("stop", "ended");
        await Viv.RunAsync("prune");
        Assert.Equal(["alive"], (await Daemon.ListAsync()).Select(s => s.GetProperty("name").GetString()));
    }

    [Fact]
    public async Task A_timeout_of_the_sandbox_ends_it_and_says_so()
    {
        await using var box = await Daemon.CreateAsync("--timeout", "2s", "--name", "short-lived");
        await Eventually.HoldsAsync(async () => (await Daemon.ListAsync()).All(s => s.GetProperty("state").GetString() != "running"), TimeSpan.FromSeconds(10), "the sandbox is over");
    }

    [Fact]
    public async Task An_idle_timeout_counts_only_while_nothing_happens()
    {
        await using var box = await Daemon.CreateAsync("--idle-timeout", "3s", "--name", "idler");
        await box.ShAsync("for i in 1 2 3 4 5; do sleep 1; echo $i; done");
        Assert.Equal("running", await box.StateAsync());
        await Eventually.HoldsAsync(async () => (await Daemon.ListAsync()).All(s => s.GetProperty("state").GetString() != "running"), TimeSpan.FromSeconds(15), "the idle sandbox is over");
    }

    [Fact]
    public async Task Stats_events_doctor_and_version_answer()
    {
        await using var box = await Daemon.CreateAsync("--memory", "64MiB", "--pids", "128");
        var stats = await Viv.JsonAsync("stats", box.Name);
        Assert.Contains("67108864", stats.GetRawText(), StringComparison.Ordinal);
        Assert.Contains(box.Id, (await Viv.RunAsync("events", "--json")).Stdout, StringComparison.Ordinal);
        Assert.Contains("container", (await Viv.RunAsync("doctor")).Stdout, StringComparison.OrdinalIgnoreCase);
        Assert.Matches(@"\d+\.\d+\.\d+", (await Viv.RunAsync("version")).Stdout);
    }

    [Fact]
    public async Task The_list_is_a_table_for_people_and_json_for_programs()
    {
        Assert.Empty(await Daemon.ListAsync());
        await using var box = await Daemon.CreateAsync("--name", "listed", "--label", "team=red");
        var table = (await Viv.RunAsync("ls")).Stdout;
        Assert.Contains("listed", table, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', table);
        var row = Assert.Single(await Daemon.ListAsync());
        Assert.Equal("red", row.GetProperty("labels").GetProperty("team").GetString());
        Assert.Matches("^[a-z0-9]{20}$", row.GetProperty("id").GetString());
    }

    private async Task<IEnumerable<JsonElement>> ProcessesAsync(string box)
    {
        var list = await Viv.JsonAsync("ps", box);
        return (list.ValueKind == JsonValueKind.Array ? list : list.GetProperty("processes")).EnumerateArray();
    }

    private static string Command(JsonElement process) => process.GetRawText().Replace("\",\"", " ", StringComparison.Ordinal);
}
