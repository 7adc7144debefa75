using Vivarium.Acceptance.Harness;
using Vivarium.Linux.Processes;

namespace Vivarium.Acceptance.Run;

/// <summary>A sandbox made by <c>viv run</c> lives for that viv, however it ends, and for nothing else.</summary>
[Collection(TinyCollection.Name)]
public sealed class RunOwnerTests(PrivateDaemon daemon) : VivTest(daemon)
{
    [Fact]
    public async Task A_killed_run_takes_its_sandbox_with_it()
    {
        var run = await StartAsync("owner-killed");
        run.Signal(Signals.SIGKILL);
        await run.Exited;
        await Eventually.HoldsAsync(async () => !await ExistsAsync("owner-killed"), TimeSpan.FromSeconds(20), "its sandbox is gone");
    }

    [Fact]
    public async Task Kept_and_detached_ones_outlive_their_viv()
    {
        await Viv.RunAsync("run", "-q", "-d", "--name", "owner-detached", "--", "sleep", "1000");
        await Viv.RunAsync("run", "-q", "--keep", "--name", "owner-kept", "--", "true");
        Assert.True(await ExistsAsync("owner-detached"));
        Assert.True(await ExistsAsync("owner-kept"));
        await Viv.RunAsync("rm", "-f", "owner-detached", "owner-kept");
    }

    /// <summary>Starts a run and waits until its command runs.</summary>
    internal static async Task<ChildProcess> StartAsync(PrivateDaemon daemon, string name)
    {
        var run = ChildProcess.Start(new SpawnOptions
        {
            FileName = Checkout.Viv,
            Argv = ["viv", "run", "-q", "--name", name, "--", "sh", "-c", "touch /tmp/begun; sleep 1000"],
            Env = daemon.Viv.Environment,
            NewSession = true,
        });
        await Eventually.HoldsAsync(
            async () => (await daemon.Viv.TryAsync("exec", name, "--", "test", "-e", "/tmp/begun")).Code == 0, TimeSpan.FromSeconds(30), "the command runs");
        return run;
    }

    private Task<ChildProcess> StartAsync(string name) => StartAsync(Daemon, name);

    private async Task<bool> ExistsAsync(string name) => (await Daemon.ListAsync()).Any(s => s.GetProperty("name").GetString() == name);
}

/// <summary>The same while the daemon dies and comes back.</summary>
public sealed class RunOwnerSurvivalTests(PrivateDaemon daemon) : VivTest(daemon), IClassFixture<PrivateDaemon>
{
    [Fact]
    public async Task A_restart_of_the_daemon_changes_nothing_and_the_next_daemon_watches_too()
    {
        var run = await RunOwnerTests.StartAsync(Daemon, "owner-survives");
        await Daemon.KillAsync();
        await Daemon.StartAsync();
        await Eventually.HoldsAsync(async () => (await Viv.TryAsync("exec", "owner-survives", "--", "true")).Code == 0, TimeSpan.FromSeconds(20), "it is attached again");
        Assert.False(run.Exited.IsCompleted);
        run.Signal(Signals.SIGKILL);
        await run.Exited;
        await Eventually.HoldsAsync(async () => (await Daemon.ListAsync()).Count == 0, TimeSpan.FromSeconds(20), "its sandbox is gone");
    }
}
