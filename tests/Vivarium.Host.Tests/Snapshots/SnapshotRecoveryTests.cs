using System.Globalization;
using Vivarium.Host.Tests.Support;
using Vivarium.Linux.Processes;
using Vivarium.TestKit;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Snapshots;

[Collection(DaemonTests.Name)]
public sealed class SnapshotRecoveryTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [InlineData(11)]
    public async Task Killed_at_random_points_data_standswhole_and_nothing_standsleft(int seed)
    {
        var random = new Random(seed);
        await using var daemon = await TestDaemon.StartAsync(SnapshotDaemon.Btrfs);
        await daemon.CreateAsync("box");
        await daemon.ShAsync("box", Write(0));
        await daemon.SnapshotAsync("box", "p0");
        var known = new List<string> { "p0" };
        var rounds = int.Parse(Environment.GetEnvironmentVariable("VIVARIUM_KILL_ROUNDS") ?? "8", CultureInfo.InvariantCulture);
        for (var round = 1; round <= rounds; round++)
        {
            await daemon.ShAsync("box", Write(round));
            var target = known[random.Next(known.Count)];
            Task work = (round % 6) switch
            {
                0 => daemon.SnapshotAsync("box", "p" + round),
                1 => daemon.RollBackAsync("box", target),
                2 => daemon.ForkAsync("box", 2),
                3 => Task.WhenAll(daemon.TurnAsync("box"), daemon.TurnAsync("box")),
                4 => PauseAndResumeAsync(daemon, disk: true),
                _ => PauseAndResumeAsync(daemon, disk: false),
            };
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(0, 200)), TimeProvider.System);
            await daemon.KillAsync();
            await work.ContinueWith(static _ => { }, TaskScheduler.Default);
            await daemon.StartAgainAsync();
            await Eventually.True(
                async () => (await daemon.ListAsync()).All(s => (s.State == SandboxState.Running && s.SupervisorPid != 0) || (round % 6 >= 4 && s.State is SandboxState.Paused or SandboxState.Stopped)), TimeSpan.FromSeconds(30));
            await GoOnAsync(daemon);

            // Whole: the content is that of one round, the old or the new; it goes on from there.
            var content = await daemon.ShAsync("box", "cat /root/number; md5sum -c /root/sums > /dev/null && cat /root/a");
            var stands = content.Split('\n')[0];
            Assert.Equal($"{stands}\n{stands}\n", content);
            Assert.True(stands == round.ToString(CultureInfo.InvariantCulture) || (round % 6 == 1 && stands == target[1..]), $"round {round}: {content}");
            foreach (var fork in (await daemon.ListAsync()).Where(static s => s.Name != "box"))
            {
                Assert.Equal($"{stands}\n", await daemon.ShAsync(fork.Id, "cat /root/number"));
                await daemon.DestroyAsync(fork.Id);
            }

            known = [.. (await daemon.SnapshotsAsync("box")).Where(static s => s.Kind == SnapshotKind.Named).Select(static s => s.Name)];
            var turns = (await daemon.SnapshotsAsync("box")).Select(static s => s.Turn).OfType<int>().ToArray();
            Assert.Equal(turns.Distinct(), turns);
        }

        // Every snapshot that is listed holds what it says; no volume is there that no record needs.
        foreach (var name in known)
        {
            await daemon.RollBackAsync("box", name);
            Assert.Equal(name[1..] + "\n", await daemon.ShAsync("box", "cat /root/number && md5sum -c /root/sums > /dev/null"));
        }

        var volumes = (await daemon.SnapshotsAsync("box")).Select(static s => s.Generation).Distinct().Count();
        await Eventually.True(() => Directory.GetDirectories(Path.Combine(daemon.State, "pool/snapshots")).Length == volumes);
    }

    [Fact]
    public async Task A_paused_sandbox_survives_the_daemon_and_the_machine()
    {
        await using var daemon = await TestDaemon.StartAsync(SnapshotDaemon.Btrfs);
        var frozen = await daemon.CreateAsync("frozen");
        await daemon.CreateAsync("disk");
        await using (var client = await daemon.ConnectAsync())
        {
            foreach (var name in new[] { "frozen", "disk" })
            {
                await daemon.ShAsync(name, "head -c 100000 /dev/urandom > /root/f; md5sum /root/f > /root/sums");
            }

            await client.PauseAsync("frozen", None);
            await client.PauseAsync(new PauseParams { Ref = "disk", Disk = true }, None);
        }

        // The daemon alone: what is frozen stays frozen, with its processes.
        await daemon.KillAsync();
        await daemon.StartAgainAsync();
        await Eventually.True(async () => (await daemon.GetAsync("frozen")).SupervisorPid == frozen.SupervisorPid);
        Assert.Equal(("memory", "disk"), ((await daemon.GetAsync("frozen")).PausedTo, (await daemon.GetAsync("disk")).PausedTo));

        // The machine: no process, and the runtime directory (a tmpfs) is empty.
        await daemon.KillAsync();
        Assert.True(Signals.Send(frozen.SupervisorPid, Signals.SIGKILL));
        await Eventually.True(() => !Directory.Exists($"/proc/{frozen.SupervisorPid}/fd"));
        KillCgroup(daemon, frozen.Id);
        Directory.Delete(Path.Combine(daemon.Runtime, frozen.Id), recursive: true);
        await daemon.StartAgainAsync();
        await Eventually.True(async () => (await daemon.GetAsync("frozen")).PausedTo == "disk");
        Assert.Equal("host_restarted", (await daemon.GetAsync("frozen")).Reason);
        await using var again = await daemon.ConnectAsync();
        foreach (var name in new[] { "frozen", "disk" })
        {
            Assert.Equal(SandboxState.Running, (await again.ResumeAsync(name, None)).State);
            await daemon.ShAsync(name, "md5sum -c /root/sums > /dev/null");
        }
    }

    [Fact]
    public async Task Time_over_pauses_when_that_standswanted_and_a_resume_counts_anew()
    {
        await using var daemon = await TestDaemon.StartAsync(SnapshotDaemon.Btrfs);
        await using var client = await daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "timed", TimeoutMs = 1500, OnTimeout = "pause" }, None);
        await Eventually.True(async () => (await daemon.GetAsync("timed")).State == SandboxState.Paused, TimeSpan.FromSeconds(20));
        Assert.Equal("timeout", (await daemon.GetAsync("timed")).Reason);
        await daemon.SnapshotAsync("timed", "p");
        var resumed = await client.ResumeAsync("timed", None);
        Assert.True(resumed.ExpiresUnixMs > resumed.CreatedUnixMs + 1500);
    }

    private static async Task PauseAndResumeAsync(TestDaemon daemon, bool disk)
    {
        await using var client = await daemon.ConnectAsync();
        await client.PauseAsync(new PauseParams { Ref = "box", Disk = disk }, None);
        await client.ResumeAsync("box", None);
    }

    /// <summary>What was killed while it paused or resumed may be either; it goes on from there.</summary>
    private static async Task GoOnAsync(TestDaemon daemon)
    {
        await using var client = await daemon.ConnectAsync();
        var state = (await daemon.GetAsync("box")).State;
        if (state == SandboxState.Paused)
        {
            await client.ResumeAsync("box", None);
        }
        else if (state == SandboxState.Stopped)
        {
            await client.StartAsync("box", None);
        }
    }

    private static string Write(int number) =>
        $"echo {number} > /root/number; echo {number} > /root/a; head -c {2000 + (number * 100)} /dev/urandom > /root/b; md5sum /root/a /root/b > /root/sums";

    private static void KillCgroup(TestDaemon daemon, string id)
    {
        foreach (var procs in Directory.EnumerateDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup").Select(root => Path.Join(root, daemon.CgroupRoot, id)).Where(Directory.Exists))
        {
            foreach (var file in Directory.EnumerateFiles(procs, "cgroup.procs", SearchOption.AllDirectories))
            {
                foreach (var pid in File.ReadAllLines(file))
                {
                    Signals.Send(int.Parse(pid, CultureInfo.InvariantCulture), Signals.SIGKILL);
                }
            }

            if (File.Exists(Path.Combine(procs, "freezer.state")))
            {
                File.WriteAllText(Path.Combine(procs, "freezer.state"), "THAWED");
            }
        }
    }
}
