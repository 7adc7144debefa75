using Vivarium.Host.Tests.Snapshots;
using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Tools;

/// <summary>A tool runs, and something happens to its sandbox or to the daemon: the documented answer, and whole data.</summary>
[Collection(DaemonTests.Name)]
public sealed class ToolRaceTests
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly string[] Settings = [.. SnapshotDaemon.Btrfs, "VIVARIUM_TOOLS_PAUSE_DRAIN=1s"];

    [Theory]
    [InlineData("container")]
    [InlineData("gvisor")]
    public async Task Pausing_rolling_back_and_destroying_meet_a_running_tool(string runtime)
    {
        await using var daemon = await TestDaemon.StartAsync(Settings);
        await using var client = await daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "box", Runtime = runtime }, None);
        await daemon.ShAsync("box", "echo 1 > f");
        await daemon.SnapshotAsync("box", "one");

        // It ends in time: the pause waits for it, and takes in nothing new meanwhile.
        var shortOne = client.BashAsync("box", "echo begun > begun; sleep 0.7; echo done > f; cat f");
        await BegunAsync(daemon, "box");
        var pause = client.PauseAsync("box", None);
        await Eventually.True(async () => (await daemon.GetAsync("box")).State == SandboxState.Pausing);
        Assert.Equal(ErrorCode.FailedPrecondition, (await Assert.ThrowsAsync<VivariumException>(() => client.BashAsync("box", "echo late > f"))).Code);
        Assert.Equal(SandboxState.Paused, (await pause).State);
        Assert.Equal("done\n", (await shortOne).Content);
        Assert.Equal("not_running", (await Assert.ThrowsAsync<VivariumException>(() => client.BashAsync("box", "echo late > f"))).Reason);
        await client.ResumeAsync("box", None);
        Assert.Equal("done\n", (await client.BashAsync("box", "cat f")).Content);

        // It does not: the sandbox is running again, and so is the tool.
        await daemon.ShAsync("box", "rm begun");
        var longOne = client.BashAsync("box", "echo begun > begun; while [ ! -e stop ]; do sleep 0.05; done; cat f", "long");
        await BegunAsync(daemon, "box");
        Assert.Equal("tools_in_flight", (await Assert.ThrowsAsync<VivariumException>(() => client.PauseAsync("box", None))).Reason);
        Assert.Equal(SandboxState.Running, (await daemon.GetAsync("box")).State);
        Assert.Equal("tools_in_flight", (await Assert.ThrowsAsync<VivariumException>(() => client.PauseAsync(new PauseParams { Ref = "box", Disk = true }, None))).Reason);

        // Rolling back would end it: refused, nothing changed; with force it is told so, and forgotten.
        Assert.Equal("tools_in_flight", await SnapshotCalls.ReasonAsync(() => daemon.RollBackAsync("box", "one")));
        Assert.Equal("done\n", (await client.BashAsync("box", "cat f")).Content);
        Assert.False(longOne.IsCompleted);
        await client.RollBackAsync(new RollbackParams { Ref = "box", Snapshot = "one", Force = true }, None);
        Assert.Equal("rolled_back", (await Assert.ThrowsAsync<VivariumException>(() => longOne)).Reason);
        Assert.Equal("1\n", (await client.BashAsync("box", "cat f")).Content);
        await daemon.ShAsync("box", "touch stop");
        Assert.Equal(("1\n", false), (await client.BashAsync("box", "echo begun > begun; while [ ! -e stop ]; do sleep 0.05; done; cat f", "long")) is var anew ? (anew.Content, anew.Repeated) : default);

        // An answer of before a rollback is of another world, too.
        Assert.Equal("2\n", (await client.BashAsync("box", "echo x >> f; wc -l < f", "count")).Content);
        await daemon.RollBackAsync("box", "one");
        Assert.Equal(("2\n", false), (await client.BashAsync("box", "echo x >> f; wc -l < f", "count")) is var fresh ? (fresh.Content, fresh.Repeated) : default);

        await daemon.ShAsync("box", "rm -f begun");
        var doomed = client.BashAsync("box", "echo begun > begun; sleep 100");
        await BegunAsync(daemon, "box");
        await daemon.DestroyAsync("box");
        Assert.Equal(ErrorCode.FailedPrecondition, (await Assert.ThrowsAsync<VivariumException>(() => doomed)).Code);
        await daemon.EmptyAsync();
    }

    [Theory]
    [InlineData("container")]
    [InlineData("gvisor")]
    public async Task A_daemon_that_is_killed_loses_no_tool(string runtime)
    {
        const string Command = "echo x >> runs; echo begun > begun; while [ ! -e stop ]; do sleep 0.05; done; wc -l < runs";
        await using var daemon = await TestDaemon.StartAsync(Settings);
        await using (var client = await daemon.ConnectAsync())
        {
            await client.CreateAsync(new CreateParams { Name = "box", Runtime = runtime }, None);
            var call = client.BashAsync("box", Command, "once");
            await BegunAsync(daemon, "box");
            await daemon.KillAsync();
            await Assert.ThrowsAnyAsync<Exception>(() => call);
        }

        // The next daemon joins the process it finds: it has run once, and says so.
        await daemon.StartAgainAsync();
        await using var again = await daemon.ConnectAsync();
        var joined = again.BashAsync("box", Command, "once");
        await daemon.ShAsync("box", "touch stop");
        Assert.Equal(("1\n", 0, true), (await joined) is var reply ? (reply.Content, reply.ExitCode, reply.Repeated) : default);

        // Also when it has ended meanwhile.
        await daemon.KillAsync();
        await daemon.StartAgainAsync();
        await using var third = await daemon.ConnectAsync();
        Assert.Equal(("1\n", 0, true), (await third.BashAsync("box", Command, "once")) is var ended ? (ended.Content, ended.ExitCode, ended.Repeated) : default);
    }

    [Fact]
    public async Task A_snapshot_after_each_tool_that_can_change_something()
    {
        await using var daemon = await TestDaemon.StartAsync([.. SnapshotDaemon.Btrfs, "VIVARIUM_TOOLS_SNAPSHOTS=true", "VIVARIUM_LIMITS_MAX_TOOL_SNAPSHOTS=4"]);
        await using var client = await daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "box" }, None);
        var first = await client.BashAsync("box", "echo 1 > f", "../../etc/passwd\u00e9 a/b@c");
        Assert.Null(first.SnapshotError);
        var snapshot = Assert.Single(await daemon.SnapshotsAsync("box"));
        Assert.Equal((first.SnapshotId, SnapshotKind.Tool, "tool-bash-0001", "../../etc/passwd\u00e9 a/b@c"), (snapshot.Id, snapshot.Kind, snapshot.Name, snapshot.Label));
        Assert.Null((await client.ToolAsync("box", "read_file", """{"path": "f"}""")).SnapshotId);
        Assert.NotNull((await client.BashAsync("box", "echo 2 > f; false")).SnapshotId);
        Assert.Equal("2\n", await daemon.ShAsync("box", "cat f"));
        await daemon.RollBackAsync("box", first.SnapshotId!);
        Assert.Equal("1\n", await daemon.ShAsync("box", "cat f"));

        // Several that end at once each have theirs; the oldest of their kind go, a turn between them stays.
        await daemon.TurnAsync("box");
        var many = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => client.ToolAsync("box", "write_file", $$"""{"path": "g{{i}}", "content": "x"}""")));
        Assert.All(many, static r => Assert.True(r.SnapshotId is not null, r.SnapshotError));
        var left = await daemon.SnapshotsAsync("box");
        Assert.Equal((4, 1), (left.Count(static s => s.Kind == SnapshotKind.Tool), left.Count(static s => s.Kind == SnapshotKind.Turn)));
        Assert.Equal("reserved_name", await SnapshotCalls.ReasonAsync(() => daemon.SnapshotAsync("box", "tool-bash-0001")));
    }

    [Fact]
    public async Task A_snapshot_that_cannot_be_taken_is_told()
    {
        await using var daemon = await TestDaemon.StartAsync("VIVARIUM_TOOLS_SNAPSHOTS=true");
        await using var client = await daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "box" }, None);
        var reply = await client.BashAsync("box", "echo 1");
        Assert.Equal(("1\n", false, null), (reply.Content, reply.IsError, reply.SnapshotId));
        Assert.Contains("cannot make snapshots", reply.SnapshotError, StringComparison.Ordinal);
        Assert.Contains((await client.HealthAsync(None)).Conditions, static c => c.Name == "tools");
    }

    private static Task BegunAsync(TestDaemon daemon, string sandbox) =>
        Eventually.True(async () => (await daemon.RunAsync(sandbox, "cat", "/root/begun")).Exit.Code == 0, TimeSpan.FromSeconds(20));
}
