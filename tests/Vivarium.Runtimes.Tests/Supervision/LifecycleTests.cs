using System.Text.Json;
using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Ledger;
using Vivarium.Runtimes.Tests.Harness;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Tests.Supervision;

public sealed class LifecycleTests
{
    [Fact]
    public async Task It_says_ready_runs_a_command_and_leaves_a_last_word()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        Assert.Equal("ready", rig.FirstLine);
        var (exit, output) = await rig.ShellAsync("echo $FROM_SPEC; exit 3");
        Assert.Equal(3, exit.Code);
        Assert.Equal("yes\n", output);

        await using (var client = await rig.ClientAsync())
        {
            var info = await client.InfoAsync(CancellationToken.None);
            Assert.Equal(rig.Id, info.SandboxId);
            Assert.Equal(rig.Process.Pid, info.Pid);
            Assert.True(info.EnginePid > 0);
            await client.StopAsync(new StopParams { DeadlineMs = 5000 }, CancellationToken.None);
        }

        Assert.Equal(0, (await rig.Process.Exited.WaitAsync(TimeSpan.FromSeconds(5))).Code);
        var record = rig.ReadExit();
        Assert.Equal(SupervisorPhase.Stopped, record.Phase);
        Assert.Equal("requested", record.Reason);
        Assert.Null(record.Leftovers);
        Assert.False(File.Exists(rig.SocketPath));
    }

    [Fact]
    public async Task A_second_supervisor_of_the_same_sandbox_does_not_start()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        var second = ChildProcess.Start(new SpawnOptions { FileName = await Programs.SupervisorAsync(), Argv = ["viv-supervisor", rig.RuntimeDirectory] });
        Assert.Equal(3, (await second.Exited.WaitAsync(TimeSpan.FromSeconds(5))).Code);
        Assert.Equal(0, (await rig.ShellAsync("true")).Exit.Code);
    }

    [Fact]
    public async Task One_that_waits_for_the_word_ends_without_a_trace_when_its_daemon_does()
    {
        using var work = new TempDir();
        var directory = work.Dir("run");
        var output = await ChildRun.RunAsync(
            await Programs.SupervisorAsync(), [directory], new ChildRunOptions { Env = ["VIV_START=wait"], EndedPipeAsInput = true, Timeout = TimeSpan.FromSeconds(20) }, CancellationToken.None);
        Assert.Equal((true, ""), (output.Succeeded, output.StdoutText));
        Assert.Empty(Directory.EnumerateFileSystemEntries(directory));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("{\"protocol\":1}")]
    [InlineData("null")]
    public async Task A_bad_specification_is_refused_with_a_record(string text)
    {
        await using var rig = await SupervisorRig.NewAsync();
        await rig.LaunchAsync(System.Text.Encoding.UTF8.GetBytes(text));
        Assert.StartsWith("cannot supervise", rig.FirstLine, StringComparison.Ordinal);
        Assert.Equal(2, (await rig.Process.Exited.WaitAsync(TimeSpan.FromSeconds(5))).Code);
        Assert.Equal("start_failed", rig.ReadExit().Reason);
    }

    [Fact]
    public async Task Unknown_members_of_the_specification_are_an_error()
    {
        await using var rig = await SupervisorRig.NewAsync();
        var json = JsonSerializer.SerializeToUtf8Bytes(rig.Spec, SupervisorJson.Default.SupervisorSpec);
        await rig.LaunchAsync([.. "{\"warp_drive\":true,"u8, .. json.AsSpan(1)]);
        Assert.Equal(2, (await rig.Process.Exited.WaitAsync(TimeSpan.FromSeconds(5))).Code);
    }

    [Fact]
    public async Task A_forced_stop_during_boot_wins()
    {
        await using var rig = await SupervisorRig.NewAsync();
        await rig.LaunchAsync();
        await using var client = await rig.ClientAsync();
        await client.ForceStopAsync(new StopParams(), CancellationToken.None);
        await rig.Process.Exited.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal("forced", rig.ReadExit().Reason);
    }

    [Fact]
    public async Task A_forced_stop_overtakes_a_graceful_one()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        await rig.ShellAsync("trap '' TERM HUP; setsid sleep 1000 >/dev/null 2>&1 & true");
        await using var client = await rig.ClientAsync();
        await using var other = await rig.ClientAsync();
        var graceful = client.StopAsync(new StopParams { DeadlineMs = 60_000 }, CancellationToken.None);
        await other.ForceStopAsync(new StopParams(), CancellationToken.None);
        await rig.Process.Exited.WaitAsync(TimeSpan.FromSeconds(10));
        await Record.ExceptionAsync(() => graceful);
    }

    [Fact]
    public async Task A_failed_start_is_reported_with_the_engines_words()
    {
        await using var rig = await SupervisorRig.NewAsync(static spec => spec with { EnginePath = "/bin/false" });
        await rig.LaunchAsync();
        await rig.Process.Exited.WaitAsync(TimeSpan.FromSeconds(10));
        var record = rig.ReadExit();
        Assert.Equal(SupervisorPhase.Failed, record.Phase);
        Assert.Equal("start_failed", record.Reason);
        Assert.Contains("runc", record.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_kill_9_of_the_supervisor_the_ledger_reclaims_everything()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        await using var client = await rig.ClientAsync();
        var init = (await client.InfoAsync(CancellationToken.None)).EnginePid;
        var identity = ProcessIdentity.Of(init);
        rig.Process.Signal(Signals.SIGKILL);
        await rig.Process.Exited;

        Assert.Empty(await Reclaim.RunAsync(rig.RuntimeDirectory, CancellationToken.None));
        Assert.False(identity.IsAlive());
        Assert.False(Directory.Exists(Path.Combine(rig.RuntimeDirectory, "engine")));
        Assert.Empty(await Reclaim.RunAsync(rig.RuntimeDirectory, CancellationToken.None));
    }

    [Fact]
    public async Task The_end_of_the_guest_is_noticed_and_recorded()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        await using var client = await rig.ClientAsync();
        Signals.Send((await client.InfoAsync(CancellationToken.None)).EnginePid, Signals.SIGKILL);
        await rig.Process.Exited.WaitAsync(TimeSpan.FromSeconds(2));
        Assert.Equal("guest_exited", rig.ReadExit().Reason);
        Assert.Equal(SupervisorPhase.Failed, rig.ReadExit().Phase);
    }

    [Fact]
    public async Task A_process_killed_for_memory_is_reported_as_such()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        var (exit, _) = await rig.RunAsync(new ExecRequest { Argv = ["/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=300M", "count=1"] });
        Assert.True(exit.Oom, $"exit {exit}");
        Assert.Equal(Signals.SIGKILL, exit.Signal);
        await using var client = await rig.ClientAsync();
        Assert.Equal(1, (await client.StatsAsync(CancellationToken.None)).OomKills);
    }

    [Fact]
    public async Task Pause_and_resume_change_the_phase_and_refuse_what_makes_no_sense()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        List<string> phases = [];
        await using var client = await rig.ClientAsync(change =>
        {
            lock (phases)
            {
                phases.Add(change.Status?.Phase ?? change.Type);
            }
        });
        await client.SubscribeAsync(CancellationToken.None);
        await client.PauseAsync(CancellationToken.None);
        Assert.Equal(ErrorCode.FailedPrecondition, (await Assert.ThrowsAsync<VivariumException>(() => client.PauseAsync(CancellationToken.None))).Code);
        Assert.Equal(ErrorCode.FailedPrecondition, (await Assert.ThrowsAsync<VivariumException>(() => rig.ShellAsync("true"))).Code);
        await client.ResumeAsync(CancellationToken.None);
        Assert.Equal(0, (await rig.ShellAsync("true")).Exit.Code);
        await client.PauseAsync(CancellationToken.None);
        await client.StopAsync(new StopParams { DeadlineMs = 5000 }, CancellationToken.None); // without a resume first
        await rig.Process.Exited.WaitAsync(TimeSpan.FromSeconds(5));
        await Eventually.True(() => Count(phases) >= 8);
        Assert.Equal(["pausing", "paused", "resuming", "running", "pausing", "paused", "stopping", "stopped"], phases);
    }

    private static int Count(List<string> list)
    {
        lock (list)
        {
            return list.Count;
        }
    }
}
