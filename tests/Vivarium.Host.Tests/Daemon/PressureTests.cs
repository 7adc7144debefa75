using System.Net.Sockets;
using Vivarium.Host.Tests.Support;
using Vivarium.Linux.Mounts;
using Vivarium.Linux.Processes;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Daemon;

/// <summary>The machine runs out of something, or is started anew: a precise error, others unaffected, and recovery without help.</summary>
[Collection(DaemonTests.Name)]
public sealed class PressureTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Out_of_descriptors_the_daemon_goes_on_with_what_it_has_and_serves_again_when_there_are_some()
    {
        await using var daemon = await TestDaemon.StartAsync();
        await daemon.CreateAsync("box");
        await using var early = await daemon.ConnectAsync();
        await early.ListAsync(new ListParams(), None);
        var open = Directory.GetFiles($"/proc/{daemon.Pid}/fd").Length;
        await PrlimitAsync(daemon, open + 20);
        var sockets = new List<Socket>();
        for (var i = 0; i < 100; i++)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(daemon.Socket), None);
            sockets.Add(socket);
        }

        await Eventually.True(() => daemon.Log.Contains("accepting a connection failed", StringComparison.Ordinal));
        Assert.Single((await early.ListAsync(new ListParams(), None)).Sandboxes);
        await Assert.ThrowsAsync<VivariumException>(() => early.CreateAsync(new CreateParams(), None));
        sockets.ForEach(static s => s.Dispose());
        await Eventually.True(async () => (await daemon.ListAsync()).Count == 1, TimeSpan.FromSeconds(20));
        await PrlimitAsync(daemon, 4096);
        Assert.Equal(0, (await daemon.RunAsync("box", "true")).Exit.Code);
        await daemon.CreateAsync("more");

        // What could not be undone without descriptors is undone now, without help.
        await Eventually.True(() => HealthyAsync(daemon), TimeSpan.FromSeconds(30));
        var left = "";
        await Eventually.True(async () => (left = daemon.NotOwned(await daemon.ListAsync())).Length == 0, TimeSpan.FromSeconds(30), "nothing is left of the failed create: " + left);
        Assert.Equal(["box", "more"], (await daemon.ListAsync()).Select(static s => s.Name).Order());
    }

    [Fact]
    public async Task What_cannot_be_taken_away_is_said_and_tried_again_until_it_is_gone()
    {
        await using var daemon = await TestDaemon.StartAsync();
        var (data, logs, runtime) = (await daemon.CreateAsync("data"), await daemon.CreateAsync("logs"), await daemon.CreateAsync("runtime"));
        string[] places =
        [
            Directory.CreateDirectory(Path.Combine(daemon.State, "pool/sandboxes", data.Id, "root/busy")).FullName,
            Directory.CreateDirectory(Path.Combine(daemon.State, "sandboxes", logs.Id, "busy")).FullName,
            Directory.CreateDirectory(Path.Combine(daemon.Runtime, runtime.Id, "busy")).FullName,
        ];
        Array.ForEach(places, static place => Mount.FileSystem("viv-test", place, "tmpfs", data: "size=64k"));
        await daemon.DestroyAsync("data");
        await daemon.DestroyAsync("logs");

        // Killed is killed: its remains go in the background, too.
        await daemon.DestroyAsync("runtime");
        Assert.Empty(await daemon.ListAsync());
        await Eventually.True(async () => (await LeftoversAsync(daemon))?.StartsWith("3 things could not be taken away", StringComparison.Ordinal) == true, TimeSpan.FromSeconds(10));
        foreach (var place in places.Skip(1))
        {
            Mount.Unmount(place);
        }

        // Its volume had been put aside already.
        Mount.Unmount(MountTable.AtAndBelow(daemon.State).Single(static m => m.FileSystem == "tmpfs").MountPoint);
        await Eventually.True(() => HealthyAsync(daemon), TimeSpan.FromSeconds(30));
        await daemon.EmptyAsync();
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(daemon.State, "pool/sandboxes")));
    }

    [Fact]
    public async Task A_destroy_that_failed_goes_on_by_itself()
    {
        await using var daemon = await TestDaemon.StartAsync();
        var made = await daemon.CreateAsync("box");
        var busy = Directory.CreateDirectory(Path.Combine(daemon.Runtime, made.Id, "busy")).FullName;
        Mount.FileSystem("viv-test", busy, "tmpfs", data: "size=64k");
        await using (var client = await daemon.ConnectAsync())
        {
            await Assert.ThrowsAsync<VivariumException>(() => client.DestroyAsync(new DestroyParams { Ref = "box", Force = true }, None));
        }

        Assert.Equal(SandboxState.Destroying, (await daemon.GetAsync("box")).State);
        Assert.Contains("sandbox box", await LeftoversAsync(daemon), StringComparison.Ordinal);
        Mount.Unmount(busy);
        await Eventually.True(async () => (await daemon.ListAsync()).Count == 0, TimeSpan.FromSeconds(30));
        await Eventually.True(() => HealthyAsync(daemon), TimeSpan.FromSeconds(10));
        await daemon.CreateAsync("box");
    }

    [Fact]
    public async Task A_full_state_disk_is_said_and_nothing_is_lost_and_it_goes_on_when_there_is_room()
    {
        await using var daemon = await TestDaemon.StartOnSmallDiskAsync("48m");
        var made = await daemon.CreateAsync("box");
        var fill = Path.Combine(daemon.State, "fill");
        await FillAsync(fill);
        var error = await Assert.ThrowsAsync<VivariumException>(() => daemon.CreateAsync("late"));
        Assert.True(error.Code is ErrorCode.ResourceExhausted, $"{error.Code} {error.Reason}: {error.Message}");
        Assert.Equal("box", Assert.Single(await daemon.ListAsync()).Name);
        Assert.Equal(0, (await daemon.RunAsync("box", "true")).Exit.Code);

        // A daemon that starts on a full disk must not take the database for damaged.
        await daemon.KillAsync();
        var exit = await StartOnceAsync(daemon);
        Assert.DoesNotContain("damaged", daemon.Log, StringComparison.Ordinal);
        Assert.True(exit is null or 125, $"it ended with {exit}");
        File.Delete(fill);
        await daemon.StartAgainAsync();
        await Eventually.True(async () => (await daemon.GetAsync("box")).SupervisorPid == made.SupervisorPid);
        await daemon.CreateAsync("late");
    }

    [Fact]
    public async Task Out_of_inodes_is_said_and_others_go_on_and_it_works_again_when_there_are_some()
    {
        using var disk = new TempDir();
        Mount.FileSystem("viv-test", disk.Path, "tmpfs", data: "size=256m,nr_inodes=4000");
        await using (var daemon = await TestDaemon.StartAsync("VIVARIUM_POOL_PATH=" + disk.Path))
        {
            await daemon.CreateAsync("greedy");
            await daemon.CreateAsync("other");
            var filled = await daemon.RunAsync("greedy", "sh", "-c", "mkdir /root/many; cd /root/many; seq 1 9999 | xargs touch");
            Assert.NotEqual(0, filled.Exit.Code);
            Assert.Contains("No space left on device", filled.Err(), StringComparison.Ordinal);
            var error = await Assert.ThrowsAsync<VivariumException>(() => daemon.CreateAsync("late"));
            Assert.Equal((ErrorCode.ResourceExhausted, "pool_full"), (error.Code, error.Reason));
            Assert.Equal(["greedy", "other"], (await daemon.ListAsync()).Select(static s => s.Name).Order());
            Assert.Equal(0, (await daemon.RunAsync("other", "sh", "-c", "echo x:x:1:1:x:/:/bin/sh >> /etc/passwd")).Exit.Code);
            Assert.Equal(0, (await daemon.RunAsync("greedy", "rm", "-r", "/root/many")).Exit.Code);
            await daemon.CreateAsync("late");
            await daemon.DestroyAllAsync();
        }

        Mount.Unmount(disk.Path);
    }

    [Fact]
    public async Task After_a_restart_of_the_machine_what_ran_has_failed_for_a_reason_and_starts_with_its_files()
    {
        await using var daemon = await TestDaemon.StartAsync("VIVARIUM_POOL_STORE=btrfs", "VIVARIUM_POOL_SIZE=1GiB");
        await daemon.CreateAsync("ran");
        await daemon.CreateAsync("rested");
        await daemon.RunAsync("ran", "sh", "-c", "echo kept > /root/file && sync");
        await using (var client = await daemon.ConnectAsync())
        {
            await client.StopAsync(new StopSandboxParams { Ref = "rested" }, None);
        }

        daemon.PullThePlug();
        await daemon.StartAgainAsync();
        await Eventually.True(async () => (await daemon.GetAsync("ran")).State == SandboxState.Failed, TimeSpan.FromSeconds(20));
        var found = await daemon.GetAsync("ran");
        Assert.Equal("host_restarted", found.Reason);
        Assert.Contains("restarted", found.Message, StringComparison.Ordinal);
        Assert.Equal(SandboxState.Stopped, (await daemon.GetAsync("rested")).State);
        await using var again = await daemon.ConnectAsync();
        Assert.Equal(SandboxState.Running, (await again.StartAsync("ran", None)).State);
        Assert.Equal("kept\n", (await daemon.RunAsync("ran", "cat", "/root/file")).Out());
        Assert.Contains((await again.DoctorAsync(None)).Checks, static c => c is { Name: "database", Status: "pass" });
    }

    /// <summary>A new boot, as the daemon sees it: the kernel's own boot id is covered by another for it alone. Pids and start times of the last boot mean nothing then.</summary>
    [Fact]
    public async Task In_another_boot_nothing_is_killed_by_a_pid_of_the_last_one()
    {
        using var boot = new TempDir();
        var id = boot.Write("boot_id", Guid.NewGuid() + "\n");
        await using var daemon = await TestDaemon.StartAsync();
        var made = await daemon.CreateAsync("ran");
        var ledger = Path.Combine(daemon.Runtime, made.Id, "ledger");
        var bystander = ChildProcess.Start(new SpawnOptions { FileName = "/bin/sleep", Argv = ["sleep", "1000"] });
        daemon.PullThePlug(keepRuntime: true);

        // The same pid and start time as something of the sandbox had before the machine was restarted.
        var entry = Vivarium.Runtimes.Ledger.LedgerEntry.Of(ProcessIdentity.Of(bystander.Pid));
        await File.AppendAllTextAsync(ledger, $"+{entry}\n");
        daemon.Launch = usual => usual with
        {
            FileName = "/usr/bin/unshare",
            Argv = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", $"mount --bind {id} /proc/sys/kernel/random/boot_id && exec \"$0\" run", usual.FileName],
        };
        await daemon.StartAgainAsync();
        await Eventually.True(async () => (await daemon.GetAsync("ran")).State == SandboxState.Failed, TimeSpan.FromSeconds(20));
        Assert.False(Directory.Exists(Path.GetDirectoryName(ledger)));
        Assert.False(bystander.Exited.IsCompleted);

        // Where a part of /proc is covered no sandbox can be started: that is for a daemon without the trick.
        await daemon.KillAsync();
        daemon.Launch = static usual => usual;
        await daemon.StartAgainAsync();
        await using (var client = await daemon.ConnectAsync())
        {
            Assert.Equal(SandboxState.Running, (await client.StartAsync("ran", None)).State);
        }

        await daemon.DestroyAsync("ran");
        bystander.Signal(Signals.SIGKILL);
        await bystander.Exited;

    }

    private static async Task<string?> LeftoversAsync(TestDaemon daemon)
    {
        await using var client = await daemon.ConnectAsync();
        return (await client.HealthAsync(None)).Conditions.FirstOrDefault(static c => c.Name == "leftovers")?.Message;
    }

    private static async Task<bool> HealthyAsync(TestDaemon daemon) => await LeftoversAsync(daemon) is null;

    private static async Task<int?> StartOnceAsync(TestDaemon daemon)
    {
        var child = daemon.Spawn();
        try
        {
            return (await child.Exited.WaitAsync(TimeSpan.FromSeconds(3))).Code;
        }
        catch (TimeoutException)
        {
            child.Signal(Signals.SIGKILL);
            await child.Exited;
            return null;
        }
    }

    private static async Task FillAsync(string path)
    {
        var filled = await ChildRun.RunAsync("sh", ["-c", $"cat /dev/zero > {path} 2>/dev/null; true"], new ChildRunOptions(), None);
        Assert.True(filled.Succeeded);
    }

    private static async Task PrlimitAsync(TestDaemon daemon, int files)
    {
        var done = await ChildRun.RunAsync("prlimit", [$"--pid={daemon.Pid}", $"--nofile={files}:4096"], new ChildRunOptions(), None);
        Assert.True(done.Succeeded, done.Summary);
    }
}
