using Vivarium.Acceptance.Harness;
using Vivarium.Linux.Processes;

namespace Vivarium.Acceptance.Survival;

/// <summary>A supervisor or a guest agent that is killed: noticed within two seconds, the reason recorded, everything reclaimed.</summary>
[Collection(QuietCollection.Name)]
public sealed class SupervisorKilledTests(PrivateDaemon daemon) : VivTest(daemon)
{
    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_killed_supervisor_is_noticed_within_two_seconds_and_all_it_held_is_reclaimed(string runtime)
    {
        var before = Footprint.Of(Daemon);
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        await box.ShAsync("sleep 1000 >/dev/null 2>&1 &");
        Signals.Send(await box.SupervisorPidAsync(), Signals.SIGKILL);
        await Eventually.HoldsAsync(async () => await box.StateAsync() == "failed", TimeSpan.FromSeconds(2), "the sandbox is failed");
        var info = await box.ShowAsync();
        Assert.Equal("supervisor_died", info.GetProperty("reason").GetString());
        await Eventually.HoldsAsync(() => Footprint.Of(Daemon).Processes.Except(before.Processes).Any() == false, TimeSpan.FromSeconds(5), "its processes are gone");
        await Eventually.HoldsAsync(() => Footprint.Of(Daemon).Cgroups.Except(before.Cgroups).Any() == false, TimeSpan.FromSeconds(5), "its cgroups are gone");
        await Eventually.HoldsAsync(() => Footprint.Of(Daemon).Mounts.Except(before.Mounts).Any() == false, TimeSpan.FromSeconds(5), "its mounts are gone");
        (await box.TryExecAsync("true")).MustRefuse("failed");
        await Viv.RunAsync("rm", box.Id);
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_sandbox_whose_supervisor_was_killed_starts_again_with_its_files(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        await box.ShAsync("echo precious >/root/file; sync");
        Signals.Send(await box.SupervisorPidAsync(), Signals.SIGKILL);
        await Eventually.HoldsAsync(async () => await box.StateAsync() == "failed", TimeSpan.FromSeconds(3), "the sandbox is failed");
        await Viv.RunAsync("start", box.Id);
        Assert.Equal("precious\n", (await box.ShAsync("cat /root/file")).Stdout);
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_guest_agent_killed_from_inside_is_noticed_and_all_is_reclaimed(string runtime)
    {
        var before = Footprint.Of(Daemon);
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        // A signal from inside to the init of its own namespace is dropped by the kernel unless the init handles it, so the agent is attacked
        // from the host as well: its process is the one the engine started.
        await box.TryExecAsync("kill", "-9", "1");
        await box.TryExecAsync("kill", "-TERM", "1");
        if (await box.StateAsync() == "running")
        {
            await Tools.TryAsync("sh", "-c", $"for c in /sys/fs/cgroup/*{Daemon.CgroupRoot}/{box.Id} /sys/fs/cgroup{Daemon.CgroupRoot}/{box.Id}; do [ -d $c ] && for p in $(find $c -name cgroup.procs -exec cat {{}} +); do grep -qa viv-guest /proc/$p/cmdline && kill -9 $p; grep -qa 'runsc-sandbox' /proc/$p/cmdline && kill -9 $p; done; done; true");
        }

        await Eventually.HoldsAsync(async () => await box.StateAsync() is "failed" or "stopped", TimeSpan.FromSeconds(4), "the end of the agent is noticed");
        Assert.NotEqual("", (await box.ShowAsync()).GetProperty("reason").GetString());
        await Eventually.HoldsAsync(() => Footprint.Of(Daemon).Processes.Except(before.Processes).Any() == false, TimeSpan.FromSeconds(5), "its processes are gone");
        await Viv.RunAsync("rm", "-f", box.Id);
    }

    [Fact]
    public async Task A_stop_of_the_daemon_leaves_the_sandboxes_running()
    {
        await using var box = await Daemon.CreateAsync();
        var boot = (await box.ShowAsync()).GetProperty("boot_id").GetString();
        await Viv.RunAsync("daemon", "stop");
        await Daemon.StartAsync();
        Assert.Equal(boot, (await box.ShowAsync()).GetProperty("boot_id").GetString());
        Assert.Equal("here\n", (await box.ShAsync("echo here")).Stdout);
    }
}
