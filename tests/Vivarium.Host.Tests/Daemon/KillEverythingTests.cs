using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Data.Sqlite;
using Vivarium.Host.Tests.Support;
using Vivarium.Linux.Processes;
using Vivarium.TestKit;
using Vivarium.Transport.Host;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Daemon;

/// <summary>
/// SIGKILL at random points: the daemon alone, with its supervisors, or with everything its sandboxes run, in the middle of creates, execs, stops, starts, pauses and
/// destroys. After each next start every sandbox is whole or gone, what was acknowledged holds, and nothing on the machine belongs to nobody.
/// </summary>
/// <remarks>
/// A point is an operation that was cut. <c>VIVARIUM_KILL_SEED</c> repeats a run (as far as timing can be repeated), <c>VIVARIUM_KILL_POINTS</c> makes it longer or
/// shorter, <c>VIVARIUM_KILL_ROUNDS</c> is the least number of kills.
/// </remarks>
[Collection(DaemonTests.Name)]
public sealed class KillEverythingTests
{
    private const int AtOnce = 8;
    private const int Population = 10;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly CancellationToken None = CancellationToken.None;

    private Random random = new(0);
    private readonly int points = Number("VIVARIUM_KILL_POINTS", 200);
    private readonly int rounds = Number("VIVARIUM_KILL_ROUNDS", 1);
    private readonly ConcurrentDictionary<string, Life> lives = new(StringComparer.Ordinal);
    private int names;
    private int cut;
    private int done;

    /// <summary>What callers were told of a sandbox.</summary>
    private enum Life
    {
        Wanted,
        Made,
        Doomed,
        Gone,
    }

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
        for (; cut < points || round < rounds; round++)
        {
            var before = cut;
            await RoundAsync(daemon, kills);
            Assert.True(round < 20 || cut > before || round < rounds, "no operation is ever under way when the kill comes");
        }

        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{cut} operations cut by {round} kills ({kills[0]} daemon alone, {kills[1]} with supervisors, {kills[2]} with everything), {done} completed, {names} sandboxes");
        Assert.Null(Integrity(daemon));
        await daemon.DestroyAllAsync();
        await daemon.EmptyAsync();
    }

    private async Task RoundAsync(TestDaemon daemon, int[] kills)
    {
        using var over = new CancellationTokenSource();
        var work = Enumerable.Range(0, AtOnce).Select(_ => WorkAsync(daemon, new Random(random.Next()), over.Token)).ToList();
        await Task.Delay(TimeSpan.FromMilliseconds(random.Next(0, 160)), TimeProvider.System);
        var how = random.Next(3);
        kills[how]++;
        await over.CancelAsync();
        await KillAsync(daemon, how);
        await Task.WhenAll(work);
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

    /// <summary>One client that does one thing after another until the daemon dies under it.</summary>
    private async Task WorkAsync(TestDaemon daemon, Random choice, CancellationToken over)
    {
        var underWay = false;
        try
        {
            await using var client = await daemon.ConnectAsync();
            while (!over.IsCancellationRequested)
            {
                underWay = true;
                await StepAsync(client, choice);
                underWay = false;
                Interlocked.Increment(ref done);
            }
        }
        catch (VivariumException)
        {
            if (underWay && over.IsCancellationRequested)
            {
                Interlocked.Increment(ref cut);
            }
        }
    }

    private async Task StepAsync(HostClient client, Random choice)
    {
        var known = lives.Where(static l => l.Value == Life.Made).Select(static l => l.Key).ToArray();
        var name = known.Length == 0 ? null : known[choice.Next(known.Length)];
        try
        {
            switch (choice.Next(known.Length >= Population ? 4 : 0, 12))
            {
                case < 5 when known.Length < Population:
                    name = $"n{Interlocked.Increment(ref names)}";
                    lives[name] = Life.Wanted;
                    await client.CreateAsync(new CreateParams { Name = name }, None);
                    lives[name] = Life.Made;
                    await client.ExecAsync(Run(name, $"echo {name} > /root/whole && sync /root/whole"), None);
                    break;
                case 5 when name is not null:
                    await client.StopAsync(new StopSandboxParams { Ref = name, Force = choice.Next(2) == 0 }, None);
                    break;
                case 6 when name is not null:
                    await client.StartAsync(name, None);
                    break;
                case 7 when name is not null:
                    await client.PauseAsync(name, None);
                    await client.ResumeAsync(name, None);
                    break;
                case 8 when name is not null:
                    await client.ExecAsync(Run(name, "i=0; while [ $i -lt 200 ]; do i=$((i+1)); done"), None);
                    break;
                case > 8 when name is not null:
                    lives[name] = Life.Doomed;
                    await client.DestroyAsync(new DestroyParams { Ref = name, Force = true, Now = choice.Next(2) == 0 }, None);
                    lives[name] = Life.Gone;
                    break;
                default:
                    await client.ListAsync(new ListParams(), None);
                    break;
            }
        }
        catch (VivariumException e) when (e.Code is ErrorCode.FailedPrecondition or ErrorCode.NotFound)
        {
            // Two clients on one sandbox: one of them is refused.
        }
    }

    private static RunParams Run(string reference, string script) => new() { Ref = reference, Request = new ExecRequest { Argv = ["sh", "-c", script] } };

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
        foreach (var (name, life) in lives)
        {
            var sandbox = found.FirstOrDefault(s => s.Name == name);
            if (life == Life.Made)
            {
                Assert.True(sandbox is not null, $"{name} was made and is not there");
            }
            else if (life == Life.Gone)
            {
                Assert.True(sandbox is null, $"{name} was destroyed and is there");
            }

            lives[name] = sandbox is null ? Life.Gone : Life.Made;
        }

        var left = "";
        try
        {
            await Eventually.True(() => (left = daemon.NotOwned(found)).Length == 0, Patience, "nothing on the machine belongs to nobody");
        }
        catch (TimeoutException)
        {
            Assert.Fail($"left behind:\n{left}\n{daemon.Log}");
        }

        await Task.WhenAll(found.Where(_ => random.Next(3) == 0).Select(s => ProveAsync(client, s)));
    }

    /// <summary>Whole: it runs or can be started, and its files are those of its name.</summary>
    private static async Task ProveAsync(HostClient client, SandboxInfo sandbox)
    {
        if (sandbox.State == SandboxState.Paused)
        {
            await client.ResumeAsync(sandbox.Id, None);
        }
        else if (sandbox.State != SandboxState.Running)
        {
            await client.StartAsync(sandbox.Id, None);
        }

        var said = await client.ExecAsync(Run(sandbox.Id, "test -x /bin/sh && cat /root/whole 2>/dev/null"), None);
        Assert.True(said.Out().Length == 0 || said.Out() == sandbox.Name + "\n", $"{sandbox.Name} holds '{said.Out()}'");
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
