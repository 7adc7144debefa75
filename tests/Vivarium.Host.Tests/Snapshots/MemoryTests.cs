using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;
using static Vivarium.Host.Tests.Snapshots.SnapshotCalls;

namespace Vivarium.Host.Tests.Snapshots;

[Collection(DaemonTests.Name)]
public sealed class MemoryTests(MemoryDaemon shared) : IClassFixture<MemoryDaemon>
{
    private static readonly CancellationToken None = CancellationToken.None;

    private TestDaemon Daemon => shared.Daemon;

    [Fact]
    public async Task Rollback_and_fork_bring_running_processes_back_with_the_files_of_the_same_instant()
    {
        await Daemon.RequireMemoryAsync();
        await using var client = await Daemon.ConnectAsync();
        var made = await client.CreateAsync(new CreateParams { Name = "live", Secrets = [new InjectSecretPayload { Name = "key", Value = "hush" }] }, None);
        var logged = await client.LaunchAsync(new LaunchProcessParams { Ref = "live", Request = new ExecRequest { Argv = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"] } }, None);
        await Daemon.StartCountingAsync("live");
        var taken = await client.SnapshotAsync(new SnapshotParams { Ref = "live", Name = "alive", Memory = true }, None);
        Assert.True(taken is { HasMemory: true, MemoryBytes: > 1_000_000, PausedUs: > 0 });
        Assert.Equal(2, Volumes());
        var later = await Daemon.AssertGoesOnAsync("live", await Daemon.CountAsync("live") + 20);

        // In place: the same sandbox, the process where it was, and its log with it.
        var back = await Daemon.RollBackAsync("live", "alive");
        Assert.Equal((made.Id, SandboxState.Running), (back.Id, back.State));
        Assert.NotEqual(made.BootId, back.BootId);
        Assert.True(await Daemon.CountAsync("live") < later, "it counts from the snapshot on");
        await Daemon.AssertGoesOnAsync("live", 0);
        Assert.Contains(await Processes("live"), p => p.Pid == logged.Pid && p.Status == "running");
        Assert.Equal("hush", await Daemon.ShAsync("live", "cat /run/vivarium/secrets/key"));
        Assert.Equal("live\n", await Daemon.ShAsync("live", "hostname"));

        // Somebody else: own name, machine and numbers, none of the secrets; the source does not notice.
        var forks = await Daemon.ForkAsync("live@alive", 2, "twin");
        foreach (var fork in forks)
        {
            Assert.Equal(fork.Name + "\n", await Daemon.ShAsync(fork.Id, "hostname"));
            Assert.Equal("", await Daemon.ShAsync(fork.Id, "ls /run/vivarium/secrets 2>/dev/null || true"));
            await Daemon.AssertGoesOnAsync(fork.Id, 0);
        }

        var machines = new HashSet<string>();
        foreach (var id in forks.Select(static f => f.Id).Append("live"))
        {
            machines.Add(await Daemon.ShAsync(id, "cat /etc/machine-id 2>/dev/null || true"));
        }

        Assert.Equal(3, machines.Count);
        await Daemon.AssertGoesOnAsync("live", 0);

        // A fork can be saved in its turn; files alone are brought back when that is wanted.
        Assert.True((await client.SnapshotAsync(new SnapshotParams { Ref = "twin-1", Name = "again", Memory = true }, None)).HasMemory);
        await Daemon.AssertGoesOnAsync((await Daemon.ForkAsync("twin-1@again", name: "third"))[0].Id, 0);
        await client.RollBackAsync(new RollbackParams { Ref = "twin-1", Snapshot = "again", Memory = false }, None);
        Assert.DoesNotContain("secret", await Daemon.ShAsync("twin-1", "ps"), StringComparison.Ordinal);

        await Daemon.DeleteSnapshotAsync("live", "alive");
        await Daemon.DestroyAllAsync();
        await Eventually.True(() => Volumes() == 0);
    }

    [Fact]
    public async Task A_fork_of_what_runs_takes_its_memory_along_when_asked()
    {
        await Daemon.RequireMemoryAsync();
        await using var client = await Daemon.ConnectAsync();
        await Daemon.CreateAsync("source");
        await Daemon.StartCountingAsync("source");
        var fork = Assert.Single((await client.ForkAsync(new ForkParams { Ref = "source", Name = "double", Memory = true }, None)).Sandboxes);
        await Daemon.AssertGoesOnAsync(fork.Id, 0);
        await Daemon.AssertGoesOnAsync("source", 0);

        // Frozen, its memory can be kept as well, and it stays frozen.
        await client.PauseAsync("source", None);
        Assert.True((await client.SnapshotAsync(new SnapshotParams { Ref = "source", Name = "frozen", Memory = true }, None)).HasMemory);
        Assert.Equal(SandboxState.Paused, (await Daemon.RollBackAsync("source", "frozen")).State);
        await client.ResumeAsync("source", None);
        await Daemon.AssertGoesOnAsync("source", 0);
        await Daemon.DestroyAllAsync();
        await Eventually.True(() => Volumes() == 0);
    }

    [Fact]
    public async Task Where_memory_cannot_be_kept_it_is_said_and_nothing_changes()
    {
        await Daemon.RequireMemoryAsync();
        await using var client = await Daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "box", Runtime = "container" }, None);
        var refused = await Assert.ThrowsAsync<VivariumException>(() => client.SnapshotAsync(new SnapshotParams { Ref = "box", Memory = true }, None));
        Assert.Equal((ErrorCode.FailedPrecondition, "memory_snapshots_not_available"), (refused.Code, refused.Reason));
        Assert.Contains("gvisor", refused.Message, StringComparison.Ordinal);
        Assert.Equal("memory_snapshots_not_available", await ReasonAsync(() => client.ForkAsync(new ForkParams { Ref = "box", Memory = true }, None)));

        await Daemon.CreateAsync("cannot");
        await Daemon.ShAsync("cannot", "setsid sh -c 'exec 5<>/root/gone; rm /root/gone; sleep 1000' > /dev/null 2>&1 < /dev/null & while [ ! -e /proc/$!/fd/5 ]; do sleep 0.01; done; sleep 0.1");
        Assert.Equal("memory_not_saved", await ReasonAsync(() => client.SnapshotAsync(new SnapshotParams { Ref = "cannot", Memory = true }, None)));
        Assert.Equal("memory_not_saved", await ReasonAsync(() => client.PauseAsync(new PauseParams { Ref = "cannot", Disk = true }, None)));
        Assert.Equal(SandboxState.Running, (await Daemon.GetAsync("cannot")).State);
        await Daemon.ShAsync("cannot", "ps | grep -q 'sleep 1000'");
        await Daemon.SnapshotAsync("cannot", "files");
        Assert.Equal("no_memory", await ReasonAsync(() => client.RollBackAsync(new RollbackParams { Ref = "cannot", Snapshot = "files", Memory = true }, None)));
        Assert.Equal("no_memory", await ReasonAsync(() => client.ForkAsync(new ForkParams { Ref = "cannot", Snapshot = "files", Memory = true }, None)));
        await client.StopAsync(new StopSandboxParams { Ref = "cannot" }, None);
        Assert.Equal("no_memory", await ReasonAsync(() => client.SnapshotAsync(new SnapshotParams { Ref = "cannot", Memory = true }, None)));
        await Daemon.DestroyAllAsync();
        await Eventually.True(() => Volumes() == 0);
    }

    [Fact]
    public async Task Time_over_pauses_to_disk_and_a_resume_goes_on()
    {
        await Daemon.RequireMemoryAsync();
        await using var client = await Daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "timed", TimeoutMs = 4000, OnTimeout = "pause" }, None);
        await Daemon.StartCountingAsync("timed");
        await Eventually.True(async () => (await Daemon.GetAsync("timed")).State == SandboxState.Paused, TimeSpan.FromSeconds(30));
        Assert.Equal(("timeout", "disk", 0), ((await Daemon.GetAsync("timed")).Reason, (await Daemon.GetAsync("timed")).PausedTo, (await Daemon.GetAsync("timed")).SupervisorPid));
        await Eventually.True(async () => (await Record.ExceptionAsync(() => client.ResumeAsync("timed", None))) is null or VivariumException { Reason: not "operation_in_progress" });
        await Daemon.AssertGoesOnAsync("timed", 3);
        await Daemon.DestroyAllAsync();
    }

    [Fact]
    public async Task Turns_rollbacks_and_forks_of_files_work_as_in_a_container()
    {
        await Daemon.CreateAsync("turns");
        await Daemon.ShAsync("turns", "echo 1 > /root/f");
        var first = await Daemon.TurnAsync("turns");
        Assert.Equal((1, false), (first.Turn, first.HasMemory));
        Assert.Contains("+/root/f", first.Changes!.First!);
        Assert.True((await Daemon.TurnAsync("turns")).Unchanged);

        // What was just written is still in the guest's own memory: it must be in the snapshot.
        await Daemon.ShAsync("turns", "head -c 3000000 /dev/urandom > /root/big; md5sum /root/big > /root/sum; rm /root/f");
        var third = await Daemon.TurnAsync("turns");
        Assert.Equal((2, 1), (third.Changes!.Added, third.Changes.Removed));
        await Daemon.RollBackAsync("turns", "1");
        Assert.Equal("1\n", await Daemon.ShAsync("turns", "cat /root/f; cat /root/big 2>/dev/null || true"));
        await Daemon.RollBackAsync("turns", "3");
        await Daemon.ShAsync("turns", "md5sum -c /root/sum > /dev/null");
        var fork = Assert.Single(await Daemon.ForkAsync("turns@2", name: "branch"));
        Assert.Equal("1\nbranch\n", await Daemon.ShAsync(fork.Id, "cat /root/f; hostname"));
        Assert.Equal("a:/root/big r:/root/f a:/root/sum", (await Daemon.DiffAsync("turns", "turn-0002")).Paths());
        await Daemon.DestroyAllAsync();
    }

    private int Volumes() => Directory.GetDirectories(Path.Combine(Daemon.State, "pool/snapshots")).Length;

    private async Task<IReadOnlyList<ProcessInfo>> Processes(string sandbox)
    {
        await using var client = await Daemon.ConnectAsync();
        return (await client.ProcessesAsync(sandbox, None)).Processes;
    }
}
