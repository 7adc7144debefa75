using System.Text.Json;
using Vivarium.Acceptance.Harness;
using Vivarium.Linux.Processes;

namespace Vivarium.Acceptance.Survival;

/// <summary>SIGKILL of the daemon: nothing in the sandboxes notices.</summary>
public sealed class DaemonKilledTests(PrivateDaemon daemon) : VivTest(daemon), IClassFixture<PrivateDaemon>
{
    [Fact]
    public async Task Sandboxes_commands_and_open_streams_live_on_under_load()
    {
        var boxes = new List<TestSandbox>();
        try
        {
            for (var i = 0; i < 20; i++)
            {
                boxes.Add(await Daemon.CreateAsync("--runtime", i % 5 == 4 ? "gvisor" : "container", "--memory", "64MiB"));
            }

            var before = await Task.WhenAll(boxes.Select(b => b.ShowAsync()));
            // Streams that are open while the daemon dies: each says a number, waits for a file, says the rest.
            var streams = boxes.Select(b => Viv.TryAsync("exec", b.Id, "--", "sh", "-c", "echo begun >/tmp/begun; echo one; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo two; exit 9")).ToList();
            foreach (var box in boxes)
            {
                await Eventually.HoldsAsync(async () => (await box.TryExecAsync("test", "-e", "/tmp/begun")).Code == 0, TimeSpan.FromSeconds(10), "the command has begun");
            }

            await Daemon.KillAsync();
            Assert.All(before, info => Assert.True(Signals.Send(info.GetProperty("supervisor_pid").GetInt32(), 0), "the supervisor lives"));
            await Daemon.StartAsync();

            await Eventually.HoldsAsync(async () => (await Daemon.ListAsync()).Count(IsAttached) == boxes.Count, TimeSpan.FromSeconds(10), "all are running again");
            var after = await Task.WhenAll(boxes.Select(b => b.ShowAsync()));
            Assert.Equal(before.Select(Identity), after.Select(Identity));
            foreach (var box in boxes)
            {
                await box.ShAsync("touch /tmp/go");
            }

            Assert.All(await Task.WhenAll(streams), result => Assert.Equal("one\ntwo\n", result.MustEndWith(9).Stdout));
        }
        finally
        {
            await Viv.TryAsync(["rm", "-f", .. boxes.Select(b => b.Id)]);
        }
    }

    [Fact]
    public async Task Repeated_kills_lose_and_duplicate_nothing()
    {
        await using var box = await Daemon.CreateAsync("--name", "survivor");
        await box.ShAsync("echo 42 >/root/answer");
        var identity = Identity(await box.ShowAsync());
        for (var i = 0; i < 5; i++)
        {
            await Daemon.KillAsync();
            Assert.Equal("42\n", (await box.ShAsync("cat /root/answer")).Stdout);
            await Eventually.HoldsAsync(async () => (await Daemon.ListAsync()).All(IsAttached), TimeSpan.FromSeconds(10), "it is attached again");
            Assert.Equal(identity, Identity(Assert.Single(await Daemon.ListAsync())));
        }
    }

    [Fact]
    public async Task A_sandbox_that_ended_while_the_daemon_was_dead_is_known_as_ended()
    {
        await using var box = await Daemon.CreateAsync("--name", "orphan");
        var supervisor = await box.SupervisorPidAsync();
        // That a new sandbox runs is observed, not intended, and written within a tenth of a second; only both deaths inside that time undo it.
        await box.ShAsync("sleep 0.3");
        await Daemon.KillAsync();
        Signals.Send(supervisor, Signals.SIGKILL);
        await Daemon.StartAsync();
        await Eventually.HoldsAsync(async () => await box.StateAsync() == "failed", TimeSpan.FromSeconds(5), "the daemon knows that it failed");
        Assert.NotEqual("", (await box.ShowAsync()).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_kill_in_the_middle_of_creating_leaves_whole_sandboxes_or_none()
    {
        for (var i = 0; i < 5; i++)
        {
            var creating = Enumerable.Range(0, 4).Select(n => Viv.TryAsync("create", "--name", $"cut-{i}-{n}")).ToList();
            await Task.Delay(TimeSpan.FromMilliseconds(40 * (i + 1)), TimeProvider.System, TestContext.Current.CancellationToken);
            await Daemon.KillAsync();
            await Task.WhenAll(creating);
            await Daemon.StartAsync();
            await Eventually.HoldsAsync(
                async () => (await Daemon.ListAsync()).All(s => s.GetProperty("state").GetString() is "running" or "failed" or "stopped"),
                TimeSpan.FromSeconds(15), "every sandbox is whole or marked failed");
            foreach (var sandbox in await Daemon.ListAsync())
            {
                if (sandbox.GetProperty("state").GetString() == "running")
                {
                    await Viv.RunAsync("exec", sandbox.GetProperty("id").GetString()!, "--", "true");
                }

                await Viv.RunAsync("rm", "-f", sandbox.GetProperty("id").GetString()!);
            }
        }
    }

    // A new daemon shows what the record says at once, and the supervisor's pid when it has found it again.
    private static bool IsAttached(JsonElement info) =>
        info.GetProperty("state").GetString() == "running" && info.GetProperty("supervisor_pid").GetInt32() != 0;

    private static string Identity(JsonElement info) =>
        $"{info.GetProperty("id")} {info.GetProperty("name")} {info.GetProperty("boot_id")} {info.GetProperty("supervisor_pid")} {info.GetProperty("created_unix_ms")}";
}
