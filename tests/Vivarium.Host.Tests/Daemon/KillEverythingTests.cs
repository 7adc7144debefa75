using System.Globalization;
using Microsoft.Data.Sqlite;
using Vivarium.Host.Tests.Support;
using Vivarium.Linux.Processes;
using Vivarium.TestKit;
using Vivarium.Transport.Host;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Daemon;

/// <summary>
/// SIGKILL at random points: the daemon alone, with its supervisors, or with everything its sandboxes run, in the middle of creates, snapshots, rollbacks, forks,
/// destroys, execs, stops, starts and pauses. After each next start every sandbox is whole or gone, what was acknowledged holds, and nothing on the machine belongs to nobody.
/// </summary>
/// <remarks>
/// A point is an operation that was cut. <c>VIVARIUM_KILL_SEED</c> repeats a run (as far as timing can be repeated), <c>VIVARIUM_KILL_POINTS</c> makes it longer or
/// shorter, <c>VIVARIUM_KILL_ROUNDS</c> is the least number of kills.
/// </remarks>
[Collection(DaemonTests.Name)]
public sealed class KillEverythingTests
{
    private const int AtOnce = 8;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly CancellationToken None = CancellationToken.None;

    private Random random = new(0);
    private readonly int points = Number("VIVARIUM_KILL_POINTS", 200);
    private readonly int rounds = Number("VIVARIUM_KILL_ROUNDS", 1);
    private readonly KillWork work = new();

    [Fact]
    public async Task Killed_at_any_point_nothing_is_left_and_every_sandbox_is_whole_or_gone()
    {
        var seed = Number("VIVARIUM_KILL_SEED", Random.Shared.Next());
        random = new Random(seed);
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {seed}: VIVARIUM_KILL_SEED={seed} repeats it");
        await using var daemon = await TestDaemon.StartAsync("VIVARIUM_POOL_STORE=btrfs", "VIVARIUM_POOL_SIZE=1GiB", "VIVARIUM_DAEMON_LOG_LEVEL=info");
        await daemon.CreateAsync("first");
        await daemon.DestroyAsync("first");
        var kills = new int[3];
        var round = 0;
        for (; work.Cut < points || round < rounds; round++)
        {
            var before = work.Cut;
            await RoundAsync(daemon, kills);
            Assert.True(round < 20 || work.Cut > before || round < rounds, "no operation is ever under way when the kill comes");
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{round} kills ({kills[0]} daemon alone, {kills[1]} with supervisors, {kills[2]} with everything): {work}");
        Assert.All(
            [KillWork.Step.Create, KillWork.Step.Snapshot, KillWork.Step.Rollback, KillWork.Step.Fork, KillWork.Step.Destroy],
            step => Assert.True(points < 100 || work.CutOf(step) > 0, $"no {step} was ever cut"));
        Assert.Null(Integrity(daemon));
        await daemon.DestroyAllAsync();
        await daemon.EmptyAsync();
    }

    private async Task RoundAsync(TestDaemon daemon, int[] kills)
    {
        using var over = new CancellationTokenSource();
        var clients = Enumerable.Range(0, AtOnce).Select(_ => work.RunAsync(daemon, new Random(random.Next()), over.Token)).ToList();
        if (random.Next(2) == 0)
        {
            // Also when something has just been completed, however slow the machine is: else there would never be anything to snapshot, fork or destroy.
            var before = work.Done;
            await Eventually.True(() => work.Done > before, Patience);
        }

        await Task.Delay(TimeSpan.FromMilliseconds(random.Next(0, 160)), TimeProvider.System);
        var how = random.Next(3);
        kills[how]++;
        await over.CancelAsync();
        await KillAsync(daemon, how);
        await Task.WhenAll(clients);
        if (random.Next(4) == 0)
        {
            // Also in the middle of recovering.
            var again = daemon.Spawn();
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(0, 600)), TimeProvider.System);
            again.Signal(Signals.SIGKILL);
            await again.Exited.WaitAsync(Patience);
        }

        await daemon.StartAgainAsync();
        await CheckAsync(daemon);
    }

    /// <summary>0: the daemon alone. 1: its supervisors too; engines and sandboxes go on without anybody. 2: all of it.</summary>
    private static async Task KillAsync(TestDaemon daemon, int how)
    {
        var daemonDead = daemon.KillAsync();
        if (how > 0)
        {
            daemon.KillSandboxes(supervisorsOnly: how == 1);
        }

        await daemonDead;
    }

    private async Task CheckAsync(TestDaemon daemon)
    {
        await using var client = await daemon.ConnectAsync();
        await Eventually.True(
            async () => (await client.HealthAsync(None)).Conditions.All(static c => c.Name != "recovery"), Patience, "the daemon has settled what it found");
        var found = (await client.ListAsync(new ListParams(), None)).Sandboxes;
        Assert.All(found, static s => Assert.True(s.State is SandboxState.Running or SandboxState.Paused or SandboxState.Stopped or SandboxState.Failed, $"{s.Name} is {s.State}"));
        Assert.All(found, static s => Assert.True(s.State != SandboxState.Failed || (s.Reason is { Length: > 0 } && s.Message is { Length: > 0 }), $"{s.Name} failed without a reason"));
        foreach (var (name, life) in work.Lives)
        {
            var sandbox = found.FirstOrDefault(s => s.Name == name);
            if (life == KillWork.Life.Made)
            {
                Assert.True(sandbox is not null, $"{name} was made and is not there");
            }
            else if (life == KillWork.Life.Gone)
            {
                Assert.True(sandbox is null, $"{name} was destroyed and is there");
            }

            work.Lives[name] = sandbox is null ? KillWork.Life.Gone : KillWork.Life.Made;
        }

        await CheckSnapshotsAsync(client, found);

        var left = "";
        try
        {
            await Eventually.True(() => (left = daemon.NotOwned(found)).Length == 0, Patience, "nothing on the machine belongs to nobody");
        }
        catch (TimeoutException)
        {
            Assert.Fail($"left behind:\n{left}\n{daemon.Log}");
        }

        await work.PrepareAsync(client);
        await Task.WhenAll(found.Where(_ => random.Next(3) == 0).Select(s => ProveAsync(client, s)));
    }

    /// <summary>A snapshot that was acknowledged is there for as long as its sandbox.</summary>
    private async Task CheckSnapshotsAsync(HostClient client, IReadOnlyList<SandboxInfo> found)
    {
        var there = (await client.SnapshotsAsync(new SnapshotListParams(), None)).Snapshots.Where(s => found.Any(f => f.Id == s.SandboxId)).ToDictionary(static s => s.Name, static s => s.SandboxName);
        foreach (var (snapshot, owner) in work.Snapshots)
        {
            if (found.All(s => s.Name != owner))
            {
                work.Snapshots.TryRemove(snapshot, out _);
            }
            else
            {
                Assert.True(there.ContainsKey(snapshot), $"{snapshot} of {owner} was taken and is not there");
            }
        }

        foreach (var (snapshot, owner) in there)
        {
            work.Snapshots[snapshot] = owner;
        }
    }

    /// <summary>Whole: it runs or can be started, and its files are those of its name.</summary>
    private async Task ProveAsync(HostClient client, SandboxInfo sandbox)
    {
        if (sandbox.State == SandboxState.Paused)
        {
            await client.ResumeAsync(sandbox.Id, None);
        }
        else if (sandbox.State != SandboxState.Running)
        {
            await client.StartAsync(sandbox.Id, None);
        }

        var said = await client.ExecAsync(KillWork.Shell(sandbox.Id, "test -x /bin/sh && cat /root/whole 2>/dev/null"), None);
        Assert.True(said.Out().Length == 0 || said.Out() == work.Contents[sandbox.Name] + "\n", $"{sandbox.Name} holds '{said.Out()}'");
    }

    private static string? Integrity(TestDaemon daemon)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(daemon.State, "vivarium.db")};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA integrity_check";
        var said = (string?)command.ExecuteScalar();
        return said == "ok" ? null : said;
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var value) ? value : otherwise;
}
