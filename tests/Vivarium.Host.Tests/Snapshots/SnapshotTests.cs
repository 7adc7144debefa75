using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;
using static Vivarium.Host.Tests.Snapshots.SnapshotCalls;

namespace Vivarium.Host.Tests.Snapshots;

[Collection(DaemonTests.Name)]
public sealed class SnapshotTests(SnapshotDaemon shared) : IClassFixture<SnapshotDaemon>
{
    private static readonly CancellationToken None = CancellationToken.None;

    private TestDaemon Daemon => shared.Daemon;

    [Fact]
    public async Task A_named_snapshot_is_listed_shown_renamed_held_and_deleted()
    {
        await Daemon.CreateAsync("box");
        await Daemon.ShAsync("box", "mkdir /root/w && echo one > /root/w/a");
        var first = await Daemon.SnapshotAsync("box", "first");
        Assert.Equal(("first", SnapshotKind.Named, null, false), (first.Name, first.Kind, first.Parent, first.HasMemory));
        Assert.Equal((2, true), (first.Changes!.Added, first.Current));
        Assert.Contains("+/root/w/a", first.Changes.First!);
        Assert.True(first.PausedUs > 0, "it ran, so it stood still for a moment");
        await Daemon.ShAsync("box", "echo more >> /root/w/a; echo two > /root/w/b");
        var second = await Daemon.SnapshotAsync("box");
        Assert.Equal((first.Id, 1, 1, 0), (second.Parent, second.Changes!.Added, second.Changes.Changed, second.Changes.Removed));
        Assert.True(second.BytesUnique is >= 0 and < 100_000);

        foreach (var (name, reason) in new[] { ("turn-0007", "reserved_name"), ("tool-x", "reserved_name"), ("now", "reserved_name"), ("a/b", "bad_name"), ("", "bad_name"), ("12", "bad_name"), ("first", "name_taken") })
        {
            Assert.Equal(reason, await ReasonAsync(() => Daemon.SnapshotAsync("box", name)));
        }

        await using var client = await Daemon.ConnectAsync();
        Assert.Equal("works", (await client.RenameSnapshotAsync(new RenameSnapshotParams { Ref = "box", Snapshot = second.Id[..6], Name = "works" }, None)).Name);
        Assert.Equal("name_taken", await ReasonAsync(() => client.RenameSnapshotAsync(new RenameSnapshotParams { Ref = "box", Snapshot = "works", Name = "first" }, None)));
        Assert.True((await client.HoldSnapshotAsync(new HoldSnapshotParams { Snapshot = "box@works", Held = true }, None)).Held);
        Assert.Equal("held", await ReasonAsync(() => Daemon.DeleteSnapshotAsync("box", "works")));
        await client.HoldSnapshotAsync(new HoldSnapshotParams { Ref = "box", Snapshot = "works", Held = false }, None);
        Assert.Equal("no_such_snapshot", await ReasonAsync(() => Daemon.DeleteSnapshotAsync("box", "wroks")));

        // What came from a deleted one comes from the one before it, with all its data.
        await Daemon.ShAsync("box", "rm /root/w/b");
        await Daemon.SnapshotAsync("box", "third");
        await Daemon.DeleteSnapshotAsync("box", "works");
        var left = await Daemon.SnapshotsAsync("box");
        Assert.Equal([("first", null), ("third", first.Id)], left.Select(static s => (s.Name, s.Parent)));
        Assert.Equal("c:/root/w/a", (await Daemon.DiffAsync("box", "first", "third")).Paths());
        Assert.Equal("r:/root/w r:/root/w/a", (await Daemon.DiffAsync("box", "first", "origin")).Paths());
        await Eventually.True(() => Directory.GetDirectories(Path.Combine(Daemon.State, "pool/snapshots")).Length == 2);
        await Daemon.DestroyAsync("box");
    }

    [Fact]
    public async Task A_diff_with_now_names_what_was_done_since()
    {
        await Daemon.CreateAsync("now");
        await Daemon.ShAsync("now", "echo one > /root/a; echo two > /root/b; mkdir /root/d; echo x > /root/d/x");
        await Daemon.SnapshotAsync("now", "base");
        Assert.Empty((await Daemon.DiffAsync("now")).Entries);
        await Daemon.ShAsync("now", "echo more >> /root/a; rm /root/b; mv /root/d /root/e; ln -s a /root/l");
        var diff = await Daemon.DiffAsync("now");
        Assert.Equal("c:/root/a r:/root/b r:/root/d r:/root/d/x a:/root/e a:/root/e/x a:/root/l", diff.Paths());
        Assert.Equal(("base", "now", 3, 1, 3), (diff.From, diff.To, diff.Summary.Added, diff.Summary.Changed, diff.Summary.Removed));
        Assert.Equal((4, 9), (diff.Entries[0].SizeBefore, diff.Entries[0].SizeAfter));
        await using var client = await Daemon.ConnectAsync();
        var cut = await client.DiffAsync(new DiffParams { Ref = "now", Limit = 2 }, None);
        Assert.Equal((2, true, 3), (cut.Entries.Count, cut.Truncated, cut.Summary.Removed));
        Assert.Single(await Daemon.SnapshotsAsync("now"));
        await Daemon.DestroyAsync("now");
    }

    [Fact]
    public async Task Turns_are_numbered_once_and_an_unchanged_one_costs_nothing()
    {
        await Daemon.CreateAsync("turns");
        var events = new List<HostEvent>();
        await using var listener = await Daemon.ConnectAsync();
        listener.OnEvent = e =>
        {
            lock (events)
            {
                events.Add(e);
            }
        };
        await listener.SubscribeAsync(new SubscribeParams { Ref = "turns" }, None);
        await Daemon.ShAsync("turns", "echo 1 > /root/f");
        var first = await Daemon.TurnAsync("turns", "begin");
        Assert.Equal((1, "turn-0001", "begin", 1), (first.Turn, first.Name, first.Label, first.Changes!.Added));
        var idle = await Daemon.TurnAsync("turns");
        Assert.Equal((2, true, 0L, first.Id), (idle.Turn, idle.Unchanged, idle.BytesUnique, idle.Parent));
        await Daemon.ShAsync("turns", "cat /root/f > /dev/null; ls -R /root /etc > /dev/null; touch /root/x && rm /root/x");
        Assert.True((await Daemon.TurnAsync("turns")) is { Turn: 3 });
        await Eventually.True(() => Directory.GetDirectories(Path.Combine(Daemon.State, "pool/snapshots")).Length <= 2);

        // Two at once: two numbers. Another operation meanwhile is refused, as always.
        await Daemon.ShAsync("turns", "echo 2 > /root/f");
        var both = await Task.WhenAll(Daemon.TurnAsync("turns"), Daemon.TurnAsync("turns"));
        Assert.Equal([4, 5], both.Select(static t => t.Turn!.Value).Order());

        // Neither a rollback nor a removal gives a number back.
        await Daemon.RollBackAsync("turns", "1");
        Assert.Equal("1\n", await Daemon.ShAsync("turns", "cat /root/f"));
        await Daemon.DeleteSnapshotAsync("turns", "turn-0005");
        await Daemon.ShAsync("turns", "echo 3 > /root/f");
        var branch = await Daemon.TurnAsync("turns");
        Assert.Equal((6, first.Id), (branch.Turn, branch.Parent));

        // Six are kept (a setting of this daemon); the oldest go, named ones never.
        await Daemon.SnapshotAsync("turns", "keep");
        for (var i = 7; i <= 10; i++)
        {
            await Daemon.ShAsync("turns", $"echo {i} > /root/f");
            Assert.Equal(i, (await Daemon.TurnAsync("turns")).Turn);
        }

        var left = await Daemon.SnapshotsAsync("turns");
        Assert.Equal([4, 6, 7, 8, 9, 10], left.Select(static s => s.Turn).OfType<int>());
        Assert.Contains(left, static s => s.Name == "keep");
        Assert.Equal("no_such_snapshot", await ReasonAsync(() => Daemon.RollBackAsync("turns", "turn-0001")));
        await Daemon.RollBackAsync("turns", "turn-0008");
        Assert.Equal("8\n", await Daemon.ShAsync("turns", "cat /root/f"));
        Assert.Equal(11, (await Daemon.TurnAsync("turns")).Turn);
        Assert.Equal(11, (await Daemon.GetAsync("turns")).Turns);
        lock (events)
        {
            var told = events.First(static e => e.Type == "turn.completed");
            Assert.Equal((1, 1, "begin"), (told.Snapshot!.Turn, told.Snapshot.Changes!.Added, told.Snapshot.Label));
        }

        await Daemon.DestroyAsync("turns");
    }

    [Fact]
    public async Task A_rollback_keeps_identity_and_branch_and_ends_processes()
    {
        var made = await Daemon.CreateAsync("back");
        await Daemon.ShAsync("back", "echo 1 > /root/f");
        await Daemon.SnapshotAsync("back", "one");
        await Daemon.ShAsync("back", "echo 2 > /root/f");
        await Daemon.SnapshotAsync("back", "two");
        await Daemon.ShAsync("back", "echo 3 > /root/f");
        var running = Daemon.RunAsync("back", "sleep", "1000");
        await Eventually.True(async () => (await Daemon.ShAsync("back", "ps")).Contains("sleep 1000", StringComparison.Ordinal));

        // A name that does not exist changes nothing: not the file, not the process.
        Assert.Equal("no_such_snapshot", await ReasonAsync(() => Daemon.RollBackAsync("back", "tow")));
        Assert.False(running.IsCompleted);
        Assert.Equal("3\n", await Daemon.ShAsync("back", "cat /root/f"));

        var after = await Daemon.RollBackAsync("back", "one");
        Assert.Equal("rolled_back", await ReasonAsync(() => running));
        Assert.Equal((made.Id, made.Name, made.Hostname, SandboxState.Running), (after.Id, after.Name, after.Hostname, after.State));
        Assert.NotEqual(made.BootId, after.BootId);
        Assert.Equal("1\n", await Daemon.ShAsync("back", "cat /root/f"));
        await Daemon.ShAsync("back", "echo branch > /root/f");
        var branch = await Daemon.SnapshotAsync("back", "branch");
        Assert.Equal("one two branch", string.Join(' ', (await Daemon.SnapshotsAsync("back")).Select(static s => s.Name)));
        Assert.Equal("c:/root/f", (await Daemon.DiffAsync("back", "two", "branch")).Paths());

        // Paused and stopped ones stay what they are.
        await using var client = await Daemon.ConnectAsync();
        await client.PauseAsync("back", None);
        Assert.Equal("two branch", string.Join(' ', (await Daemon.SnapshotsAsync("back")).Skip(1).Select(static s => s.Name)));
        Assert.Equal(SandboxState.Paused, (await Daemon.RollBackAsync("back", "two")).State);
        Assert.Equal("not_running", await ReasonAsync(() => Daemon.RunAsync("back", "true")));
        await client.ResumeAsync("back", None);
        Assert.Equal("2\n", await Daemon.ShAsync("back", "cat /root/f"));
        await client.StopAsync(new StopSandboxParams { Ref = "back" }, None);
        Assert.Equal(SandboxState.Stopped, (await Daemon.RollBackAsync("back", branch.Id)).State);
        await client.StartAsync("back", None);
        Assert.Equal("branch\n", await Daemon.ShAsync("back", "cat /root/f"));

        await Daemon.RollBackAsync("back", "one", discard: true);
        Assert.Equal("one", Assert.Single(await Daemon.SnapshotsAsync("back")).Name);
        Assert.Equal("1\n", await Daemon.ShAsync("back", "cat /root/f"));
        await Daemon.DestroyAsync("back");
    }

    [Fact]
    public async Task Forks_come_from_one_instant_and_are_somebody_else()
    {
        var source = await Daemon.CreateAsync("mother");
        await Daemon.ShAsync("mother", "echo 1 > /root/f; echo 11111111111111111111111111111111 > /etc/machine-id");
        await Daemon.SnapshotAsync("mother", "early");
        await using var client = await Daemon.ConnectAsync();
        await client.LaunchAsync(new LaunchProcessParams { Ref = "mother", Request = new ExecRequest { Argv = ["sh", "-c", "i=0; while true; do i=$((i+1)); echo $i > /root/a; echo $i > /root/b; done"] } }, None);
        await Daemon.ShAsync("mother", "while [ ! -s /root/b ]; do sleep 0.01; done");
        var forks = await Daemon.ForkAsync("mother", 4, "child");
        Assert.Equal(["child-1", "child-2", "child-3", "child-4"], forks.Select(static f => f.Name));
        Assert.Equal(4, forks.Select(static f => f.Id).Append(source.Id).Distinct().Count() - 1);
        Assert.All(forks, f => Assert.Equal((source.Id, SandboxState.Running), (f.ForkedFrom, f.State)));
        var instants = new HashSet<string>();
        var machines = new HashSet<string>();
        foreach (var fork in forks)
        {
            var (a, b) = (await Daemon.ShAsync(fork.Id, "cat /root/a"), await Daemon.ShAsync(fork.Id, "cat /root/b"));
            instants.Add($"{a} {b}");
            machines.Add(await Daemon.ShAsync(fork.Id, "cat /etc/machine-id"));
            Assert.Equal(fork.Name + "\n", await Daemon.ShAsync(fork.Id, "hostname"));
            Assert.DoesNotContain("while true", await Daemon.ShAsync(fork.Id, "ps"), StringComparison.Ordinal);
        }

        Assert.Single(instants);
        Assert.Equal(4, machines.Count);
        Assert.DoesNotContain("11111111111111111111111111111111\n", machines);
        Assert.Contains("while true", await Daemon.ShAsync("mother", "ps"), StringComparison.Ordinal);
        Assert.Single(await Daemon.SnapshotsAsync("mother"));

        // A fork is apart from its source and knows what it changed since.
        await Daemon.ShAsync("child-1", "echo mine > /root/mine");
        Assert.Contains("a:/root/mine", (await Daemon.DiffAsync("child-1")).Paths(), StringComparison.Ordinal);
        Assert.Equal(1, (await Daemon.TurnAsync("child-1")).Turn);

        // From a snapshot, also of a paused sandbox; from a paused sandbox as it is.
        await client.PauseAsync("mother", None);
        var early = Assert.Single(await Daemon.ForkAsync("mother@early", name: "early-fork"));
        Assert.Equal("1\n", await Daemon.ShAsync(early.Id, "cat /root/f; cat /root/a 2>/dev/null || true"));
        var now = Assert.Single(await Daemon.ForkAsync("mother"));
        Assert.NotEqual("", await Daemon.ShAsync(now.Id, "cat /root/a /root/b")); // one of them may just have been emptied
        Assert.Equal(SandboxState.Paused, (await Daemon.GetAsync("mother")).State);

        // All or none: one name is taken.
        var before = (await Daemon.ListAsync()).Count;
        Assert.Equal("name_taken", await ReasonAsync(() => Daemon.ForkAsync("mother", 5, "child")));
        Assert.Equal(before, (await Daemon.ListAsync()).Count);
        Assert.Equal("bad_count", await ReasonAsync(() => Daemon.ForkAsync("mother", 101)));
        Assert.Equal("no_such_sandbox", await ReasonAsync(() => Daemon.ForkAsync("nobody")));
        await Daemon.DestroyAllAsync();
        await Daemon.EmptyAsync();
    }

    [Fact]
    public async Task Destroying_removes_all_but_held_snapshots_and_those_can_still_be_forked()
    {
        var made = await Daemon.CreateAsync("gone");
        await Daemon.ShAsync("gone", "echo kept > /root/f");
        var held = await Daemon.SnapshotAsync("gone", "held", hold: true);
        await Daemon.ShAsync("gone", "echo lost > /root/f");
        await Daemon.SnapshotAsync("gone", "other");
        await Daemon.DestroyAsync("gone");
        var left = Assert.Single(await Daemon.SnapshotsAsync(made.Id));
        Assert.Equal((held.Id, "gone", true), (left.Id, left.SandboxName, left.Held));
        await Eventually.True(() => Directory.GetDirectories(Path.Combine(Daemon.State, "pool/snapshots")).Length == 1);
        await using var client = await Daemon.ConnectAsync();
        var template = (await client.TemplateAsync("tiny", None)).References;
        Assert.True(template >= 1, "a held snapshot counts as a use of its template");
        var fork = Assert.Single(await Daemon.ForkAsync(held.Id, name: "again"));
        Assert.Equal("kept\n", await Daemon.ShAsync(fork.Id, "cat /root/f"));

        // Let go of, it is deleted: nothing else would. Its data stays for as long as the fork, which began there, can be compared with it.
        await client.HoldSnapshotAsync(new HoldSnapshotParams { Snapshot = held.Id, Held = false }, None);
        Assert.Empty(await Daemon.SnapshotsAsync(null));
        await Daemon.ShAsync("again", "echo new > /root/g");
        Assert.Contains("a:/root/g", (await Daemon.DiffAsync("again")).Paths(), StringComparison.Ordinal);
        await Daemon.DestroyAsync("again");
        await Daemon.EmptyAsync();
    }

    [Fact]
    public async Task Paused_to_disk_it_needs_no_process_and_keeps_every_byte_the_tenth_time_too()
    {
        await Daemon.CreateAsync("disk");
        await using var client = await Daemon.ConnectAsync();
        for (var round = 1; round <= 10; round++)
        {
            await Daemon.ShAsync("disk", $"head -c 20000 /dev/urandom > /root/r{round}; (cd /root && md5sum r* ) > /root/sums");
            var paused = await client.PauseAsync(new PauseParams { Ref = "disk", Disk = true }, None);
            Assert.Equal((SandboxState.Paused, "disk", 0), (paused.State, paused.PausedTo, paused.SupervisorPid));
            if (round == 1)
            {
                Assert.False(Directory.Exists(Path.Combine(Daemon.Runtime, paused.Id)));
                Assert.Equal("already_paused", await ReasonAsync(() => client.PauseAsync("disk", None)));
                await Daemon.SnapshotAsync("disk", "frozen");
                Assert.Equal(SandboxState.Paused, (await Daemon.RollBackAsync("disk", "frozen")).State);
                await Daemon.DestroyAsync(Assert.Single(await Daemon.ForkAsync("disk")).Id);
                await client.StopAsync(new StopSandboxParams { Ref = "disk" }, None);
                await client.StartAsync("disk", None);
                await client.PauseAsync(new PauseParams { Ref = "disk", Disk = true }, None);
            }

            Assert.Equal(SandboxState.Running, (await client.ResumeAsync("disk", None)).State);
            await Daemon.ShAsync("disk", "cd /root && md5sum -c sums > /dev/null");
        }

        await Daemon.DestroyAsync("disk");
    }

    [Fact]
    public async Task Destroying_wins_over_everything_that_is_under_way()
    {
        for (var round = 0; round < 6; round++)
        {
            await Daemon.CreateAsync("doomed");
            await Daemon.ShAsync("doomed", "head -c 3000000 /dev/urandom > /root/f");
            await Daemon.SnapshotAsync("doomed", "p");
            await Daemon.ShAsync("doomed", "echo x >> /root/f");
            Task work = (round % 3) switch
            {
                0 => Daemon.TurnAsync("doomed"),
                1 => Daemon.RollBackAsync("doomed", "p"),
                _ => Daemon.ForkAsync("doomed", 2, "orphan"),
            };
            await Task.Delay(TimeSpan.FromMilliseconds(round * 7), TimeProvider.System);
            await Daemon.DestroyAsync("doomed");
            await work.ContinueWith(static _ => { }, TaskScheduler.Default);
            await Daemon.DestroyAllAsync();
            await Daemon.EmptyAsync();
        }
    }
}

[Collection(DaemonTests.Name)]
public sealed class SnapshotRefusalTests(SharedDaemon shared) : IClassFixture<SharedDaemon>
{
    [Fact]
    public async Task A_store_that_cannot_says_so()
    {
        var daemon = shared.Daemon;
        await daemon.CreateAsync("plain");
        foreach (var call in (Func<Task>[])[() => daemon.SnapshotAsync("plain"), () => daemon.TurnAsync("plain"), () => daemon.ForkAsync("plain"), () => daemon.DiffAsync("plain"), () => daemon.RollBackAsync("plain", "x")])
        {
            Assert.Equal("snapshots_not_available", await ReasonAsync(call));
        }

        Assert.Equal(0, (await daemon.RunAsync("plain", "true")).Exit.Code);
        await daemon.DestroyAsync("plain");
    }
}
