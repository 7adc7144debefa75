using System.Diagnostics;
using Vivarium.Linux.Processes;

namespace Vivarium.Linux.Tests.Processes;

public sealed class ChildProcessTests
{
    private static readonly string[] Environment = [$"PATH={SpawnOptions.DefaultPath}"];

    [Theory]
    [InlineData("exit 0", 0, null)]
    [InlineData("exit 7", 7, null)]
    [InlineData("kill -TERM $$", null, 15)]
    public async Task Reports_how_a_child_ended(string script, int? code, int? signal)
    {
        var exit = await Sh(script).Exited.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal((code, signal), (exit.Code, exit.Signal));
    }

    [Fact]
    public async Task Never_misses_the_exit_of_a_short_lived_child()
    {
        var children = Enumerable.Range(0, 200).Select(_ => Task.Run(() => Start("true").Exited)).ToArray();
        var exits = await Task.WhenAll(children).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.All(exits, e => Assert.Equal(0, e.Code));
    }

    [Fact]
    public async Task Spawning_and_reaping_takes_about_a_millisecond()
    {
        await Start("/bin/true").Exited;
        var best = TimeSpan.MaxValue;
        for (var i = 0; i < 50; i++)
        {
            var begin = Stopwatch.GetTimestamp();
            await Start("/bin/true").Exited;
            var took = Stopwatch.GetElapsedTime(begin);
            best = took < best ? took : best;
        }

        TestContext.Current.SendDiagnosticMessage($"spawn and reap of /bin/true: {best.TotalMilliseconds:F2} ms");
        Assert.InRange(best.TotalMilliseconds, 0, 5);
    }

    [Fact]
    public async Task Passes_nothing_but_what_is_named()
    {
        using var inherited = File.Open("/proc/self/status", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var output = await ChildRun.RunAsync("sh", ["-c", "echo /proc/$$/fd/*; env; exec grep -E 'Sig(Blk|Ign)' /proc/self/status"], new() { Env = ["PATH=/usr/bin:/bin", "A=b c"] }, default);
        var lines = output.StdoutText.Split('\n');
        // The shell's own look at the directory is not among them: it has closed it before it prints.
        Assert.Equal(["0", "1", "2"], lines[0].Split(' ').Select(Path.GetFileName).Where(fd => int.Parse(fd!) < 3));
        Assert.InRange(lines[0].Split(' ').Length, 3, 4);
        Assert.Equal("PATH=/usr/bin:/bin A=b c", string.Join(' ', lines.Where(l => l.StartsWith("PATH=", StringComparison.Ordinal) || l.StartsWith("A=", StringComparison.Ordinal)).OrderDescending()));
        Assert.DoesNotContain(lines, l => l.StartsWith("HOME=", StringComparison.Ordinal));
        Assert.Contains("SigBlk:\t0000000000000000", lines);
        Assert.Contains("SigIgn:\t0000000000000000", lines);
    }

    [Fact]
    public async Task Maps_descriptors_in_any_permutation()
    {
        var (readA, writeA) = Linux.IO.Pipe.Create();
        var (readB, writeB) = Linux.IO.Pipe.Create();
        var (a, b) = ((int)writeA.DangerousGetHandle(), (int)writeB.DangerousGetHandle());
        // Each becomes the other.
        var child = ChildProcess.Start(new()
        {
            FileName = "/bin/sh",
            Argv = ["sh", "-c", $"echo from-a >/proc/self/fd/{b}; echo from-b >/proc/self/fd/{a}"],
            Fds = [new(a, b), new(b, a)],
        });
        writeA.Dispose();
        writeB.Dispose();
        Assert.Equal(0, (await child.Exited).Code);
        Assert.Equal("from-a", new StreamReader(new FileStream(readA, FileAccess.Read)).ReadLine());
        Assert.Equal("from-b", new StreamReader(new FileStream(readB, FileAccess.Read)).ReadLine());
    }

    [Fact]
    public async Task Changes_user_groups_limits_umask_and_directory()
    {
        var child = await Captured(new()
        {
            FileName = "sh",
            Argv = ["sh", "-c", "id -u; id -g; id -G; ulimit -n; umask; pwd; grep NoNewPrivs /proc/self/status; cat /proc/self/oom_score_adj"],
            Env = Environment,
            Cwd = "/usr",
            Uid = 12345,
            Gid = 12346,
            Groups = [12347],
            Limits = [new(LimitKind.OpenFiles, 77, 78)],
            Umask = 0x17,
            NoNewPrivileges = true,
            OomScoreAdj = 500,
        });
        Assert.Equal(["12345", "12346", "12346 12347", "77", "0027", "/usr", "NoNewPrivs:\t1", "500"], child.TrimEnd().Split('\n'));
        Assert.Equal("root", System.Environment.UserName); // ours is unchanged
    }

    [Fact]
    public async Task Says_at_which_step_it_failed()
    {
        var missing = Assert.Throws<SpawnException>(() => Start("no-such-program-anywhere"));
        Assert.True(missing.NotFound);
        Assert.Equal((SpawnStep.Execute, Errno.ENOENT), (missing.Step, missing.Errno));

        var directory = Assert.Throws<SpawnException>(() => Start("/etc"));
        Assert.Equal((SpawnStep.Execute, Errno.EACCES), (directory.Step, directory.Errno));
        Assert.False(directory.NotFound);

        var cwd = Assert.Throws<SpawnException>(() => ChildProcess.Start(new() { FileName = "true", Argv = ["true"], Env = Environment, Cwd = "/nowhere" }));
        Assert.Equal((SpawnStep.WorkingDirectory, Errno.ENOENT), (cwd.Step, cwd.Errno));
        Assert.Contains("/nowhere", cwd.Message);

        var cgroup = Assert.Throws<SpawnException>(() => ChildProcess.Start(new() { FileName = "true", Argv = ["true"], Env = Environment, CgroupDirectories = ["/nowhere"] }));
        Assert.Equal(SpawnStep.Cgroup, cgroup.Step);

        // The children that failed are collected like any other.
        Assert.Equal(0, (await Start("true").Exited).Code);
    }

    [Fact]
    public async Task Leads_its_session_and_the_group_can_be_killed()
    {
        var child = ChildProcess.Start(new() { FileName = "sh", Argv = ["sh", "-c", "sleep 1000 & wait"], Env = Environment, NewSession = true });
        child.SignalGroup(Signals.SIGKILL);
        Assert.Equal(Signals.SIGKILL, (await child.Exited.WaitAsync(TimeSpan.FromSeconds(10))).Signal);
        child.Signal(Signals.SIGTERM); // nothing to hit any more
    }

    [Fact]
    public async Task A_grandchild_that_keeps_the_pipe_does_not_hold_up_the_result()
    {
        var begin = Stopwatch.GetTimestamp();
        var output = await ChildRun.RunAsync("sh", ["-c", "setsid sleep 3 & echo done"], null, default);
        Assert.Equal("done\n", output.StdoutText);
        Assert.InRange(Stopwatch.GetElapsedTime(begin).TotalSeconds, 0, 2.5);
    }

    [Fact]
    public async Task A_run_is_bounded_in_time_and_output()
    {
        var slow = await ChildRun.RunAsync("sh", ["-c", "echo a; sleep 1000"], new() { Timeout = TimeSpan.FromMilliseconds(200) }, default);
        Assert.True(slow.TimedOut);
        Assert.Equal("a\n", slow.StdoutText);

        var loud = await ChildRun.RunAsync("sh", ["-c", "head -c 3000000 /dev/zero"], new() { MaxOutputBytes = 1000 }, default);
        Assert.True(loud.Truncated && loud.Succeeded);
        Assert.Equal(1000, loud.Stdout.Length);

        var fed = await ChildRun.RunAsync("wc", ["-c"], new() { Input = new byte[1_000_000] }, default);
        Assert.Equal("1000000", fed.StdoutText.Trim());

        using var cancel = new CancellationTokenSource();
        var cancelled = ChildRun.RunAsync("sleep", ["1000"], null, cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
    }

    [Fact]
    public async Task The_identity_of_a_process_ends_with_it()
    {
        var child = Start("sleep", "1000");
        var identity = ProcessIdentity.Of(child.Pid);
        Assert.True(identity.IsAlive());
        Assert.False((identity with { StartTicks = identity.StartTicks + 1 }).IsAlive());
        Assert.False((identity with { BootId = Guid.NewGuid().ToString() }).IsAlive());
        Assert.True(identity.Signal(Signals.SIGKILL));
        await child.Exited;
        Assert.False(identity.IsAlive());
        Assert.False(identity.Signal(Signals.SIGKILL));
    }

    [Fact]
    public async Task A_child_with_a_death_signal_outlives_the_thread_that_asked_for_it()
    {
        ChildProcess? child = null;
        var thread = new Thread(() => child = ChildProcess.Start(new() { FileName = "sleep", Argv = ["sleep", "1000"], Env = Environment, ParentDeathSignal = Signals.SIGKILL }));
        thread.Start();
        thread.Join();
        await Assert.ThrowsAsync<TimeoutException>(() => child!.Exited.WaitAsync(TimeSpan.FromMilliseconds(300)));
        child!.Signal(Signals.SIGKILL);
        await child.Exited;
    }

    [Fact]
    public async Task Adopts_orphans_and_reports_their_end()
    {
        Reaper.BecomeSubreaper();
        var output = await ChildRun.RunAsync("sh", ["-c", "setsid sh -c 'sleep 0.2; exit 9' >/dev/null 2>&1 & echo $!"], null, default);
        var exit = await Reaper.WatchAdopted(int.Parse(output.StdoutText)).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(9, exit.Code);

        var dead = await ChildRun.RunAsync("sh", ["-c", "(exit 5) & echo $!"], null, default);
        var early = await Reaper.WatchAdopted(int.Parse(dead.StdoutText)).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True(early.Code is 5 or null); // 5 when adopted, unknown when its own parent collected it
    }

    private static ChildProcess Start(string file, params string[] args) => ChildProcess.Start(new() { FileName = file, Argv = [file, .. args], Env = Environment });

    private static ChildProcess Sh(string script) => Start("sh", "-c", script);

    private static async Task<string> Captured(SpawnOptions options)
    {
        var (read, write) = Linux.IO.Pipe.Create();
        var child = ChildProcess.Start(options with { Fds = [new((int)write.DangerousGetHandle(), 1)] });
        write.Dispose();
        using var reader = new StreamReader(new FileStream(read, FileAccess.Read));
        var text = await reader.ReadToEndAsync();
        await child.Exited;
        return text;
    }
}
