using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Processes;

/// <summary>Process trees end as a whole, and what happened to them is said as it was.</summary>
[Collection(TinyCollection.Name)]
public sealed class ProcessTreeTests(PrivateDaemon daemon) : VivTest(daemon)
{
    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_timeout_kills_the_whole_tree_also_grandchildren_that_changed_session(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        var result = await Viv.TryAsync("exec", "--timeout", "1s", box.Id, "--", "sh", "-c", "setsid sleep 7777 & sleep 8888 & sh -c 'setsid sh -c \"sleep 9999\" &' ; wait; sleep 6666");
        result.MustEndWith(128 + 9);
        Assert.Contains("time", result.Stderr, StringComparison.OrdinalIgnoreCase);
        Assert.True(result.Elapsed < TimeSpan.FromSeconds(6), result.ToString());
        await Eventually.HoldsAsync(
            async () => !(await box.ShAsync("ps -o args | grep '[s]leep' || true")).Stdout.Contains("sleep", StringComparison.Ordinal),
            TimeSpan.FromSeconds(5), "the whole tree is gone");
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_background_child_that_keeps_the_pipe_does_not_delay_the_exit(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        var result = await Viv.RunAsync("exec", box.Id, "--", "sh", "-c", "echo before; sleep 300 & echo after");
        Assert.Equal("before\nafter\n", result.Stdout);
        Assert.True(result.Elapsed < TimeSpan.FromSeconds(4), result.ToString());
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task Zombies_are_reaped(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        await box.ShAsync("for i in 1 2 3 4 5 6 7 8 9 10; do sh -c 'sh -c \"exit 3\" & exec sleep 0.1' & done; wait");
        await box.ShAsync("(sh -c 'sleep 0.1 & exit 0' &)");
        await Eventually.HoldsAsync(async () => (await Zombies(box)) == "0", TimeSpan.FromSeconds(5), "no process is a zombie");
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task Out_of_memory_is_reported_as_such(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime, "--memory", "96MiB");
        // tail keeps a line that never ends in memory.
        var result = await Viv.TryAsync("exec", box.Id, "--", "sh", "-c", "tail /dev/zero");
        if (runtime == "container")
        {
            result.MustEndWith(128 + 9);
            Assert.Contains("memory", result.Stderr, StringComparison.OrdinalIgnoreCase);
            Assert.Equal("alive\n", (await box.ShAsync("echo alive")).Stdout);
            return;
        }

        // The host's kernel cannot choose a process inside gVisor: it ends the whole sandbox, and that is what is reported.
        Assert.NotEqual(0, result.Code);
        await Eventually.HoldsAsync(async () => await box.StateAsync() == "failed", TimeSpan.FromSeconds(3), "the sandbox has failed");
        Assert.Equal("oom", (await box.ShowAsync()).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_fork_bomb_stays_inside_its_process_limit_and_can_be_looked_into()
    {
        await using var box = await Daemon.CreateAsync("--pids", "64");
        await Viv.TryAsync("exec", "--timeout", "3s", box.Id, "--", "sh", "-c", "bomb() { bomb | bomb & }; bomb; sleep 100");
        Assert.Equal("ok\n", (await box.ShAsync("echo ok")).Stdout);
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task Output_written_just_before_the_exit_is_all_there(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        for (var i = 0; i < 20; i++)
        {
            var result = await box.ShAsync("head -c 200000 /dev/zero | tr '\\0' x; printf END");
            Assert.Equal(200_003, result.Output.Stdout.Length);
        }
    }

    [Fact]
    public async Task A_killed_client_takes_its_command_with_it()
    {
        await using var box = await Daemon.CreateAsync();
        var result = await Viv.TryAsync(VivCall.Of("exec", box.Id, "--", "sleep", "4321") with { Timeout = TimeSpan.FromSeconds(2) });
        Assert.True(result.Output.TimedOut);
        await Eventually.HoldsAsync(async () => !(await box.ShAsync("ps -o args")).Stdout.Contains("sleep 4321", StringComparison.Ordinal), TimeSpan.FromSeconds(10), "the command is gone");
    }

    [Fact]
    public async Task A_process_is_attached_to_again_with_what_it_said_before()
    {
        await using var box = await Daemon.CreateAsync();
        var pid = (await Viv.RunAsync("exec", "-d", box.Id, "--", "sh", "-c", "echo first; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo second; exit 5")).Stdout.Trim();
        await box.ShAsync("touch /tmp/go");
        var attached = (await Viv.TryAsync("attach", box.Id, pid)).MustEndWith(5);
        Assert.Equal("first\nsecond\n", attached.Stdout);
    }

    private static async Task<string> Zombies(TestSandbox box) =>
        (await box.ShAsync("n=0; for s in /proc/[0-9]*/stat; do read -r _ _ state _ <$s 2>/dev/null && [ \"$state\" = Z ] && n=$((n+1)); done; echo $n")).Stdout.Trim();
}
