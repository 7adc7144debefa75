using Vivarium.Acceptance.Harness;
using Vivarium.Linux.Processes;

namespace Vivarium.Acceptance.Warm;

/// <summary>Sandboxes made ahead of need: a create cannot be told from a cold one, but for the time it takes, and none is ever leaked.</summary>
public sealed class WarmPoolTests(PrivateWarmDaemon daemon) : IClassFixture<PrivateWarmDaemon>
{
    private const string Seen = "hostname; echo $FOO; id -un; pwd; cat /run/vivarium/secrets/KEY 2>/dev/null; nproc >/dev/null; echo written >/root/probe";

    [Theory]
    [InlineData("container")]
    [InlineData("gvisor")]
    public async Task A_sandbox_from_the_pool_is_what_was_asked_for(string runtime)
    {
        await daemon.WantAsync("--runtime", runtime, "--memory", "128MiB");
        Assert.Empty(await daemon.ListAsync());
        var taken = await daemon.TakenAsync();
        await using var box = await daemon.CreateAsync("--runtime", runtime, "--memory", "128MiB", "--env", "FOO=bar", "--workdir", "/tmp", "--label", "team=a");
        Assert.Equal(taken + 1, await daemon.TakenAsync());
        Assert.Equal($"{box.Name}\nbar\nroot\n/tmp\n", (await box.ShAsync(Seen)).Stdout);

        var info = await box.ShowAsync();
        Assert.Equal("running", info.GetProperty("state").GetString());
        Assert.Equal(128L << 20, info.GetProperty("resources").GetProperty("memory_bytes").GetInt64());
        Assert.Equal("a", info.GetProperty("labels").GetProperty("team").GetString());
        Assert.Single(await daemon.ListAsync());

        // The next one shares nothing with it.
        await using var other = await daemon.CreateAsync("--runtime", runtime, "--memory", "128MiB");
        Assert.Equal($"{other.Name}\n\nroot\n/root\n", (await other.ShAsync("test ! -e /root/probe && " + Seen)).Stdout);
        await daemon.Viv.RunAsync("restart", box.Id);
        Assert.Equal($"{box.Name}\nbar\nroot\n/tmp\n", (await box.ShAsync("test -e /root/probe && " + Seen)).Stdout);
    }

    [Fact]
    public async Task Names_and_host_names_of_containers_are_the_callers()
    {
        await daemon.WantAsync("--runtime", "container", "--memory", "128MiB");
        var taken = await daemon.TakenAsync();
        await using var named = await daemon.CreateAsync("--runtime", "container", "--memory", "128MiB", "--name", "asked-for");
        Assert.Equal(taken + 1, await daemon.TakenAsync());
        Assert.Equal("asked-for\n", (await named.ShAsync("hostname")).Stdout);
        Assert.NotEqual("asked-for", Environment.MachineName);
        (await daemon.Viv.TryAsync("create", "--runtime", "container", "--memory", "128MiB", "--name", "asked-for")).MustRefuse("asked-for", "taken");
        await daemon.FilledAsync();
    }

    [Fact]
    public async Task What_a_running_sandbox_cannot_be_given_starts_cold()
    {
        await daemon.WantAsync("--runtime", "gvisor", "--memory", "128MiB");
        var taken = await daemon.TakenAsync();
        await using var named = await daemon.CreateAsync("--runtime", "gvisor", "--memory", "128MiB", "--name", "in-gvisor");
        Assert.Equal("in-gvisor\n", (await named.ShAsync("hostname")).Stdout);
        await using var sharing = await daemon.CreateAsync("--runtime", "gvisor", "--memory", "128MiB", "-v", "/usr/share:/mnt/share:ro");
        await sharing.ShAsync("ls /mnt/share");
        await using var larger = await daemon.CreateAsync("--runtime", "gvisor", "--memory", "144MiB");
        Assert.Equal(taken, await daemon.TakenAsync());
    }

    [Fact]
    public async Task A_ready_sandbox_whose_supervisor_dies_is_replaced_and_nobody_notices()
    {
        await daemon.WantAsync("--runtime", "container", "--memory", "112MiB");
        var ready = await daemon.UnlistedAsync();
        foreach (var supervisor in daemon.SupervisorsOf(ready))
        {
            supervisor.Signal(Signals.SIGKILL);
        }

        await using (var box = await daemon.CreateAsync("--runtime", "container", "--memory", "112MiB"))
        {
            await box.ShAsync("true");
        }

        await Eventually.HoldsAsync(async () => !(await daemon.UnlistedAsync()).Intersect(ready).Any(), TimeSpan.FromSeconds(30), "what was left of the killed is gone");
        await daemon.FilledAsync();
    }

    [Fact]
    public async Task A_killed_daemons_successor_takes_over_what_is_ready_and_what_was_taken()
    {
        await daemon.WantAsync("--runtime", "container", "--memory", "128MiB");
        await using var box = await daemon.CreateAsync("--runtime", "container", "--memory", "128MiB", "--env", "FOO=kept");
        await daemon.FilledAsync();
        var ready = await daemon.UnlistedAsync();
        var supervisors = daemon.SupervisorsOf(ready);
        Assert.NotEmpty(supervisors);
        await daemon.KillAsync();
        await daemon.StartAsync();
        await daemon.FilledAsync();
        Assert.Equal(ready, await daemon.UnlistedAsync());
        Assert.All(supervisors, s => Assert.True(s.IsAlive()));
        Assert.Equal("kept\n", (await box.ShAsync("echo $FOO")).Stdout);
        await using var next = await daemon.CreateAsync("--runtime", "container", "--memory", "128MiB", "--env", "FOO=next");
        Assert.Contains(next.Id, ready);
        Assert.Equal($"{next.Name}\nnext\n", (await next.ShAsync("hostname; echo $FOO")).Stdout);

        // One that died while nobody watched is replaced, and a note that makes no sense is nobody's.
        await daemon.FilledAsync();
        var lost = (await daemon.UnlistedAsync())[0];
        await daemon.KillAsync();
        File.WriteAllText(Path.Combine(daemon.Runtime, lost, "warm.json"), "{\"shape\":");
        await daemon.StartAsync();
        await Eventually.HoldsAsync(async () => !(await daemon.UnlistedAsync()).Contains(lost), TimeSpan.FromSeconds(30), "it is reclaimed");
        await daemon.FilledAsync();
    }

    [Fact]
    public async Task A_clean_stop_removes_all_that_are_ready()
    {
        await daemon.WantAsync("--runtime", "container", "--memory", "128MiB");
        var ready = await daemon.UnlistedAsync();
        await daemon.Viv.RunAsync("daemon", "stop");
        Assert.Empty(daemon.SupervisorsOf(ready));
        await daemon.StartAsync();
        Assert.Empty((await daemon.UnlistedAsync()).Intersect(ready));
    }

    [Fact]
    public async Task Creates_at_once_share_no_sandbox()
    {
        await daemon.WantAsync("--runtime", "container", "--memory", "128MiB");
        var boxes = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => daemon.CreateAsync("--runtime", "container", "--memory", "128MiB")));
        Assert.Equal(5, boxes.Select(b => b.Id).Distinct().Count());
        Assert.All(await Task.WhenAll(boxes.Select(b => b.ShAsync("hostname"))), (result, i) => Assert.Equal(boxes[i].Name + "\n", result.Stdout));
        foreach (var box in boxes)
        {
            await box.DisposeAsync();
        }

        await daemon.FilledAsync();
    }
}
