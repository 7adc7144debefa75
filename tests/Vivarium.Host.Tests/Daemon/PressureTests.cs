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
