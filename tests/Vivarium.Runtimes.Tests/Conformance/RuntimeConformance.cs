using System.Text;
using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Probing;
using Vivarium.Runtimes.Tests.Harness;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Tests.Conformance;

/// <summary>What every engine must do alike. Each test ends with a leak check: no process, mount or cgroup of the sandbox may be left.</summary>
public abstract class RuntimeConformance
{
    /// <summary>Name of the engine.</summary>
    protected abstract string Engine { get; }

    /// <summary>The program to use, or a skipped test.</summary>
    protected abstract Task<ProbedEngine?> ProbedAsync();

    [Fact]
    public async Task A_command_runs_and_its_exit_code_and_output_come_back()
    {
        await using var rig = await StartedAsync();
        var (exit, output) = await rig.ShellAsync("echo out; echo err >&2; exit 7");
        Assert.Equal(7, exit.Code);
        Assert.Contains("out", output, StringComparison.Ordinal);
        Assert.Contains("err", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Writes_land_in_the_volume()
    {
        await using var rig = await StartedAsync();
        var where = rig.Runtime.Capabilities.Isolated ? "/tmp/mark" : Path.Combine(rig.Spec.RootPath, "tmp/mark");
        await rig.ShellAsync($"echo here > {where}");
        Assert.Equal("here\n", await File.ReadAllTextAsync(Path.Combine(rig.Spec.RootPath, "tmp/mark")));
    }

    [Fact]
    public async Task Starting_twice_is_refused()
    {
        await using var rig = await StartedAsync();
        var error = await Assert.ThrowsAsync<VivariumException>(() => rig.Runtime.StartAsync(rig.Options, CancellationToken.None));
        Assert.Equal(ErrorCode.FailedPrecondition, error.Code);
        Assert.Equal(0, (await rig.RunAsync("/bin/true")).Exit.Code);
    }

    [Fact]
    public async Task Anything_before_the_start_is_refused()
    {
        await using var rig = await NewAsync();
        var calls = new Func<Task>[]
        {
            () => rig.Runtime.StopAsync(StopMode.Forced, TimeSpan.FromSeconds(1), CancellationToken.None),
            () => rig.Runtime.ConnectAsync(GuestPort.Control, CancellationToken.None).AsTask(),
            () => rig.Runtime.StartStreamAsync("x", CancellationToken.None).AsTask(),
            () => rig.Runtime.PauseAsync(CancellationToken.None),
            () => rig.Runtime.ResumeAsync(CancellationToken.None),
            () => rig.Runtime.StatsAsync(CancellationToken.None),
        };
        foreach (var call in calls)
        {
            var error = await Assert.ThrowsAsync<VivariumException>(call);
            Assert.Equal(ErrorCode.FailedPrecondition, error.Code);
        }
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(0, 256 * 1024 * 1024)]
    public async Task Only_one_of_cpu_and_memory_is_refused_and_a_right_start_still_works(double cpus, long memory)
    {
        await using var rig = await NewAsync();
        var wrong = rig.Options with { Spec = rig.Spec with { Resources = rig.Spec.Resources with { Cpus = cpus, MemoryBytes = memory } } };
        var error = await Assert.ThrowsAsync<VivariumException>(() => rig.Runtime.StartAsync(wrong, CancellationToken.None));
        Assert.Equal(ErrorCode.InvalidArgument, error.Code);
        await rig.StartAsync();
        Assert.Equal(0, (await rig.RunAsync("/bin/true")).Exit.Code);
    }

    [Fact]
    public async Task A_missing_state_directory_is_refused()
    {
        await using var rig = await NewAsync();
        var error = await Assert.ThrowsAsync<VivariumException>(
            () => rig.Runtime.StartAsync(rig.Options with { StateDirectory = rig.File("nowhere") }, CancellationToken.None));
        Assert.Equal(ErrorCode.InvalidArgument, error.Code);
        Assert.Contains("nowhere", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Disks_and_network_interfaces_are_refused_by_name()
    {
        await using var rig = await NewAsync();
        var disk = await Assert.ThrowsAsync<VivariumException>(
            () => rig.Runtime.StartAsync(rig.Options with { Disks = [new DiskOption("a", "/a", true, false)] }, CancellationToken.None));
        Assert.Contains("disks", disk.Message, StringComparison.Ordinal);
        var nic = await Assert.ThrowsAsync<VivariumException>(
            () => rig.Runtime.StartAsync(rig.Options with { Nics = [new NicOption("e", "m", "tap")] }, CancellationToken.None));
        Assert.Contains("network interfaces", nic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_start_leaves_nothing_behind_and_ends_the_runtime()
    {
        await using var rig = await NewAsync();
        var notAProgram = rig.File("not-an-agent");
        await File.WriteAllTextAsync(notAProgram, "this is no program");
        var error = await Assert.ThrowsAsync<VivariumException>(
            () => rig.Runtime.StartAsync(rig.Options with { Spec = rig.Spec with { GuestAgentPath = notAProgram } }, CancellationToken.None));
        Assert.Equal(ErrorCode.Unavailable, error.Code);
        var exit = await rig.Runtime.Exited.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal("start_failed", exit.Reason);
        Assert.DoesNotContain(Directory.EnumerateDirectories(rig.StateDirectory), static path => true);
    }

    [Fact]
    public async Task A_graceful_stop_ends_the_guest_in_order()
    {
        await using var rig = await StartedAsync();
        await rig.Runtime.StopAsync(StopMode.Graceful, TimeSpan.FromSeconds(10), CancellationToken.None);
        var exit = await rig.Runtime.Exited;
        Assert.Equal("requested", exit.Reason);
        Assert.Equal(0, exit.ExitCode);
        var error = await Assert.ThrowsAsync<VivariumException>(() => rig.Runtime.ConnectAsync(GuestPort.Control, CancellationToken.None).AsTask());
        Assert.Equal(ErrorCode.FailedPrecondition, error.Code);
    }

    [Fact]
    public async Task A_forced_stop_kills_at_once_and_stopping_again_is_no_error()
    {
        await using var rig = await StartedAsync();
        await rig.Runtime.StopAsync(StopMode.Forced, TimeSpan.FromSeconds(10), CancellationToken.None);
        Assert.Equal("forced", (await rig.Runtime.Exited).Reason);
        await rig.Runtime.StopAsync(StopMode.Graceful, TimeSpan.FromSeconds(10), CancellationToken.None);
        await rig.Runtime.StopAsync(StopMode.Forced, TimeSpan.FromSeconds(10), CancellationToken.None);
    }

    [Fact]
    public async Task A_stop_during_the_start_wins()
    {
        await using var rig = await NewAsync();
        var starting = rig.Runtime.StartAsync(rig.Options, CancellationToken.None);
        var early = !starting.IsCompleted; // an engine may be so quick that there is no "during"
        await rig.Runtime.StopAsync(StopMode.Forced, TimeSpan.FromSeconds(10), CancellationToken.None);
        Assert.Equal(early, await Record.ExceptionAsync(() => starting) is VivariumException { Code: ErrorCode.Canceled });
        Assert.Equal("forced", (await rig.Runtime.Exited.WaitAsync(TimeSpan.FromSeconds(10))).Reason);
    }

    [Fact]
    public async Task Cancelling_the_start_undoes_it()
    {
        await using var rig = await NewAsync();
        using var cancel = new CancellationTokenSource();
        var starting = rig.Runtime.StartAsync(rig.Options, cancel.Token);
        var early = !starting.IsCompleted; // an engine may be so quick that there is no "during"
        await cancel.CancelAsync();
        Assert.Equal(early, await Record.ExceptionAsync(() => starting) is OperationCanceledException);
        Assert.Equal(early, rig.Runtime.Exited.IsCompleted);
    }

    [Fact]
    public async Task The_death_of_the_init_is_noticed_at_once()
    {
        await using var rig = await StartedAsync();
        var started = TimeProvider.System.GetTimestamp();
        Signals.Send(rig.Runtime.EnginePid, Signals.SIGKILL);
        var exit = await rig.Runtime.Exited.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Contains(exit.Reason, (string[])["guest_exited", "engine_died"]);
        Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(2), "it took longer than two seconds");
    }

    [Fact]
    public async Task Named_streams_need_an_acknowledgement()
    {
        await using var rig = await StartedAsync();
        var error = await Assert.ThrowsAsync<VivariumException>(() => rig.Runtime.StartStreamAsync(new string('x', 300), CancellationToken.None).AsTask());
        Assert.Equal(ErrorCode.InvalidArgument, error.Code);
    }

    [Fact]
    public async Task Pause_freezes_and_resume_goes_on()
    {
        await using var rig = await StartedAsync();
        var counter = Path.Combine(rig.Spec.RootPath, "tmp/count");
        var inside = rig.Runtime.Capabilities.Isolated ? "/tmp/count" : counter;
        var stream = await rig.Runtime.ConnectAsync(GuestPort.Exec, CancellationToken.None);
        await using var process = await Transport.Guest.ExecClient.StartAsync(
            stream, new ExecRequest { Argv = ["/bin/sh", "-c", $"while :; do echo x >> {inside}; done"] }, CancellationToken.None);
        await Eventually.True(() => Length(counter) > 0);

        await rig.Runtime.PauseAsync(CancellationToken.None);
        var frozen = Length(counter);
        Assert.NotEqual(0, (await rig.Runtime.StatsAsync(CancellationToken.None)).Pids);
        await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System); // what must not happen cannot be waited for
        Assert.Equal(frozen, Length(counter));

        await rig.Runtime.ResumeAsync(CancellationToken.None);
        await Eventually.True(() => Length(counter) > frozen);
        Assert.Equal(0, (await rig.RunAsync("/bin/true")).Exit.Code);
    }

    [Fact]
    public async Task A_paused_sandbox_can_be_stopped_by_force()
    {
        await using var rig = await StartedAsync();
        await rig.Runtime.PauseAsync(CancellationToken.None);
        await rig.Runtime.StopAsync(StopMode.Forced, TimeSpan.FromSeconds(10), CancellationToken.None);
        Assert.Equal("forced", (await rig.Runtime.Exited).Reason);
    }

    [Fact]
    public async Task Stats_are_measured_on_the_host()
    {
        await using var rig = await StartedAsync();
        await rig.ShellAsync("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
        var usage = await rig.Runtime.StatsAsync(CancellationToken.None);
        Assert.True(usage.CpuUs > 10_000, $"cpu {usage.CpuUs}");
        Assert.InRange(usage.MemoryBytes ?? 0, 100_000, 256L * 1024 * 1024);
        Assert.Equal(256L * 1024 * 1024, usage.MemoryLimitBytes);
        Assert.Equal(256, usage.PidsLimit);
        Assert.Equal(0, usage.OomKills);
        var stream = await rig.Runtime.ConnectAsync(GuestPort.Exec, CancellationToken.None);
        await using var sleeper = await Transport.Guest.ExecClient.StartAsync(stream, new ExecRequest { Argv = ["/bin/sleep", "100"] }, CancellationToken.None);
        Assert.True((await rig.Runtime.StatsAsync(CancellationToken.None)).Pids > 0);
    }

    [Fact]
    public async Task A_fork_bomb_is_contained_and_the_sandbox_can_still_be_stopped()
    {
        await using var rig = await StartedAsync();
        var stream = await rig.Runtime.ConnectAsync(GuestPort.Exec, CancellationToken.None);
        await using var bomb = await Transport.Guest.ExecClient.StartAsync(
            stream, new ExecRequest { Argv = ["/bin/sh", "-c", "b() { b | b & }; b; sleep 100"] }, CancellationToken.None);
        var most = 0;
        await Eventually.True(
            async () =>
            {
                most = Math.Max(most, (await rig.Runtime.StatsAsync(CancellationToken.None)).Pids ?? 0);
                return most > 100;
            },
            TimeSpan.FromSeconds(30));
        Assert.InRange(most, 1, 256);
        await rig.Control.PingAsync(TimeSpan.FromSeconds(20), CancellationToken.None); // the agent has room of its own
        await rig.Runtime.StopAsync(StopMode.Forced, TimeSpan.FromSeconds(15), CancellationToken.None);
    }

    [Fact]
    public async Task Memory_is_limited_and_the_host_counts_the_kill()
    {
        await using var rig = await StartedAsync(static spec => spec with { Resources = spec.Resources with { MemoryBytes = 96 * 1024 * 1024 } });
        try
        {
            await rig.ShellAsync("head -c 400m /dev/zero | dd of=/dev/null bs=300M count=1 iflag=fullblock");
        }
        catch (VivariumException)
        {
            // In gVisor the whole sandbox may be the victim.
        }

        if (rig.Runtime.Exited.IsCompleted || Engine == "runsc")
        {
            await Eventually.True(() => rig.Runtime.Exited.IsCompleted || OomKills(rig) > 0);
            Assert.True(!rig.Runtime.Exited.IsCompleted || (await rig.Runtime.Exited).Reason is "oom" or "engine_died" or "guest_exited");
        }
        else
        {
            Assert.True(OomKills(rig) > 0, "the out-of-memory killer did not strike");
            Assert.Equal(0, (await rig.RunAsync("/bin/true")).Exit.Code);
        }
    }

    [Fact]
    public async Task Diagnostic_output_reaches_the_console()
    {
        await using var rig = await StartedAsync();
        await Eventually.True(() => Encoding.UTF8.GetString(rig.Console.ToArray()).Contains("viv-guest", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_engine_that_saves_no_memory_says_so()
    {
        await using var rig = await NewAsync();
        if (rig.Runtime.Capabilities.Checkpoint)
        {
            return; // MemoryConformance
        }

        var restore = await Assert.ThrowsAsync<VivariumException>(() => rig.Runtime.RestoreAsync(rig.Options, rig.File("image"), CancellationToken.None));
        await rig.StartAsync();
        var save = await Assert.ThrowsAsync<VivariumException>(() => rig.Runtime.CheckpointAsync(rig.File("image"), CancellationToken.None));
        Assert.All([restore, save], error => Assert.Equal((ErrorCode.Unimplemented, "memory_snapshots_not_available"), (error.Code, error.Reason)));
        Assert.Equal(0, (await rig.RunAsync("/bin/true")).Exit.Code);
    }

    /// <summary>What this suite wants different in every specification.</summary>
    internal virtual SupervisorSpec Adjust(SupervisorSpec spec) => spec;

    internal Task<RuntimeRig> NewAsync(Func<SupervisorSpec, SupervisorSpec>? change = null) => NewCoreAsync(change);

    internal async Task<RuntimeRig> StartedAsync(Func<SupervisorSpec, SupervisorSpec>? change = null)
    {
        var rig = await NewAsync(change);
        try
        {
            await rig.StartAsync();
            return rig;
        }
        catch
        {
            await rig.DisposeAsync();
            throw;
        }
    }

    private static long OomKills(RuntimeRig rig) => rig.Runtime.StatsAsync(CancellationToken.None).GetAwaiter().GetResult().OomKills ?? 0;

    private static long Length(string path) => File.Exists(path) ? new FileInfo(path).Length : 0;

    private async Task<RuntimeRig> NewCoreAsync(Func<SupervisorSpec, SupervisorSpec>? change) =>
        await RuntimeRig.NewAsync(Engine, await ProbedAsync(), spec => Adjust(change?.Invoke(spec) ?? spec));
}
