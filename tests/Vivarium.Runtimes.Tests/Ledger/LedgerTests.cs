using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Ledger;
using Vivarium.TestKit;

namespace Vivarium.Runtimes.Tests.Ledger;

public sealed class LedgerTests
{
    [Fact]
    public void What_was_added_and_not_removed_is_open_after_a_crash()
    {
        using var directory = new TempDir();
        using (var ledger = SandboxLedger.OpenIn(directory.Path))
        {
            ledger.Add(new LedgerEntry(LedgerKind.Cgroup, "/a"));
            ledger.Add(new LedgerEntry(LedgerKind.Directory, "/x/y with space"));
            ledger.Add(new LedgerEntry(LedgerKind.Mount, "/m"));
            ledger.Remove(new LedgerEntry(LedgerKind.Cgroup, "/a"));
        }

        File.AppendAllText(directory["ledger"], "+mount /half-writ");
        using var again = SandboxLedger.OpenIn(directory.Path);
        Assert.Equal(["directory /x/y with space", "mount /m"], again.Open.Select(static e => e.ToString()));
        again.Add(new LedgerEntry(LedgerKind.Mount, "/n"));
        again.Dispose();
        using var third = SandboxLedger.OpenIn(directory.Path);
        Assert.Contains(new LedgerEntry(LedgerKind.Mount, "/n"), third.Open);
    }

    [Fact]
    public void Damaged_lines_are_skipped() => Fuzz.Text(
        ["+cgroup /a\n-cgroup /a\n", "+process 1 2 3\n+mount /a b\n"],
        static text => SandboxLedger.Parse(text),
        static _ => false);

    [Fact]
    public async Task A_process_is_killed_only_when_it_is_the_very_one()
    {
        using var directory = new TempDir();
        var child = ChildProcess.Start(new SpawnOptions { FileName = "/bin/sleep", Argv = ["sleep", "100"] });
        var identity = ProcessIdentity.Of(child.Pid);
        using (var ledger = SandboxLedger.OpenIn(directory.Path))
        {
            ledger.Add(LedgerEntry.Of(identity with { StartTicks = identity.StartTicks + 1 }));
            Assert.Empty(await Reclaim.RunAsync(ledger, CancellationToken.None));
            Assert.True(identity.IsAlive());

            ledger.Add(LedgerEntry.Of(identity));
            Assert.Empty(await Reclaim.RunAsync(ledger, CancellationToken.None));
        }

        Assert.Equal(Signals.SIGKILL, (await child.Exited.WaitAsync(TimeSpan.FromSeconds(5))).Signal);
    }

    [Fact]
    public async Task Reclaiming_twice_and_reclaiming_nothing_is_no_error()
    {
        using var directory = new TempDir();
        Assert.Empty(await Reclaim.RunAsync(directory.Path, CancellationToken.None));
        var tree = directory.Dir("tree/below");
        using (var ledger = SandboxLedger.OpenIn(directory.Path))
        {
            ledger.Add(new LedgerEntry(LedgerKind.Directory, directory["tree"]));
            ledger.Add(new LedgerEntry(LedgerKind.Cgroup, "/vivarium-test-never-made"));
            ledger.Add(new LedgerEntry(LedgerKind.Mount, tree));
            ledger.Add(new LedgerEntry(LedgerKind.NetworkNamespace, directory["no-netns"]));
        }

        Assert.Empty(await Reclaim.RunAsync(directory.Path, CancellationToken.None));
        Assert.False(Directory.Exists(directory["tree"]));
        Assert.Empty(await Reclaim.RunAsync(directory.Path, CancellationToken.None));
    }

    [Fact]
    public async Task What_cannot_be_released_is_named_and_kept()
    {
        using var directory = new TempDir();
        using var ledger = SandboxLedger.OpenIn(directory.Path);
        ledger.Add(new LedgerEntry("starship", "enterprise"));
        ledger.Add(new LedgerEntry(LedgerKind.Directory, "/"));
        var left = await Reclaim.RunAsync(ledger, CancellationToken.None);
        Assert.Equal(2, left.Count);
        Assert.Contains(left, static line => line.StartsWith("starship enterprise", StringComparison.Ordinal));
        Assert.Equal(2, ledger.Open.Count);
    }
}
