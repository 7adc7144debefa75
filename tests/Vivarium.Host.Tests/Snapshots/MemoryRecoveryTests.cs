using System.Globalization;
using System.Text;
using System.Text.Json;
using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Snapshots;

[Collection(DaemonTests.Name)]
public sealed class MemoryRecoveryTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Paused_to_disk_again_and_again_over_daemons_and_machines_its_processes_lose_no_byte()
    {
        await using var daemon = await TestDaemon.StartAsync(MemoryDaemon.Gvisor);
        await daemon.RequireMemoryAsync();
        var logged = 0;
        await daemon.CreateAsync("disk");
        await daemon.StartCountingAsync("disk");
        await using (var client = await daemon.ConnectAsync())
        {
            logged = (await client.LaunchAsync(
                new LaunchProcessParams { Ref = "disk", Request = new ExecRequest { Argv = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"] } }, None)).Pid;
        }

        var count = 0;
        var rounds = int.Parse(Environment.GetEnvironmentVariable("VIVARIUM_PAUSES") ?? "5", CultureInfo.InvariantCulture);
        for (var round = 1; round <= rounds; round++)
        {
            await using (var client = await daemon.ConnectAsync())
            {
                var paused = await client.PauseAsync(new PauseParams { Ref = "disk", Disk = true }, None);
                Assert.Equal((SandboxState.Paused, "disk", 0), (paused.State, paused.PausedTo, paused.SupervisorPid));
                Assert.False(Directory.Exists(Path.Combine(daemon.Runtime, paused.Id)));
            }

            switch (round % 5)
            {
                case 2:
                    await daemon.KillAsync();
                    await daemon.StartAgainAsync();
                    break;
                case 4:
                    daemon.PullThePlug();
                    await daemon.StartAgainAsync();
                    break;
                case 0:
                    // Copies of what is paused do not disturb it.
                    await daemon.SnapshotAsync("disk", "paused-" + round);
                    await daemon.DestroyAsync((await daemon.ForkAsync("disk"))[0].Id);
                    break;
            }

            await using var again = await daemon.ConnectAsync();
            Assert.Equal(SandboxState.Running, (await again.ResumeAsync("disk", None)).State);
            count = await daemon.AssertGoesOnAsync("disk", count);
        }

        // What it says is logged once and in order, over all supervisors it had.
        await using (var client = await daemon.ConnectAsync())
        {
            var log = Encoding.UTF8.GetString(Convert.FromBase64String((await client.LogsAsync(new LogsParams { Ref = "disk", Pid = logged }, None)).Data));
            var said = string.Concat(log.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => JsonDocument.Parse(line).RootElement.GetProperty("d").GetString())).Split('\n')[..^1];
            Assert.True(said.Length > 20);
            Assert.Equal(Enumerable.Range(1, said.Length).Select(static i => i.ToString(CultureInfo.InvariantCulture)), said);
        }

        await Eventually.True(() => !Directory.GetDirectories(Path.Combine(daemon.State, "pool/snapshots")).Any(static d => d.EndsWith("-memory", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task An_older_runsc_keeps_files_and_says_why_it_keeps_no_memory()
    {
        const string Older = "/usr/bin/runsc";
        await using var daemon = await TestDaemon.StartAsync([.. MemoryDaemon.Gvisor, "VIVARIUM_RUNTIME_RUNSC=" + Older]);
        await using var client = await daemon.ConnectAsync();
        var engine = (await client.InfoAsync(None)).Engines.Single(static e => e.Engine == "runsc");
        Assert.SkipUnless(engine is { Works: true, MemorySnapshots: false }, $"{Older} is not there, or saves memory");
        await daemon.CreateAsync("old");
        await daemon.ShAsync("old", "echo kept > /root/f; setsid sleep 1000 > /dev/null 2>&1 < /dev/null &");
        var refused = await Assert.ThrowsAsync<VivariumException>(() => client.SnapshotAsync(new SnapshotParams { Ref = "old", Memory = true }, None));
        Assert.Equal("memory_snapshots_not_available", refused.Reason);
        Assert.Contains(engine.Version!, refused.Message, StringComparison.Ordinal);
        await daemon.SnapshotAsync("old", "files");
        await client.PauseAsync(new PauseParams { Ref = "old", Disk = true }, None);
        await client.ResumeAsync("old", None);
        Assert.Equal("kept\n", await daemon.ShAsync("old", "cat /root/f; ps | grep '[s]leep 1000' || true"));
    }

    [Theory]
    [InlineData(5)]
    public async Task Killed_at_random_points_it_runs_or_is_paused_or_ended_and_its_data_is_whole(int seed)
    {
        var random = new Random(seed);
        await using var daemon = await TestDaemon.StartAsync(MemoryDaemon.Gvisor);
        await daemon.RequireMemoryAsync();
        await daemon.CreateAsync("box");
        await daemon.StartCountingAsync("box");
        await using (var client = await daemon.ConnectAsync())
        {
            await client.SnapshotAsync(new SnapshotParams { Ref = "box", Name = "alive", Memory = true }, None);
        }

        var rounds = int.Parse(Environment.GetEnvironmentVariable("VIVARIUM_KILL_ROUNDS") ?? "5", CultureInfo.InvariantCulture);
        for (var round = 0; round < rounds; round++)
        {
            var supervisorToo = round % 4 == 3;
            await using var client = await daemon.ConnectAsync();
            var before = await daemon.GetAsync("box");
            Task work = (round % 8) switch
            {
                0 or 3 => client.PauseAsync(new PauseParams { Ref = "box", Disk = true }, None),
                1 or 7 => ResumeAsync(client),
                2 or 6 => client.SnapshotAsync(new SnapshotParams { Ref = "box", Name = "s" + round, Memory = true }, None),
                _ => client.RollBackAsync(new RollbackParams { Ref = "box", Snapshot = "alive" }, None),
            };
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(0, 500)), TimeProvider.System);
            if (supervisorToo)
            {
                daemon.KillSandboxes(supervisorsOnly: true);
            }

            await daemon.KillAsync();
            await work.ContinueWith(static _ => { }, TaskScheduler.Default);
            await daemon.StartAgainAsync();
            await Eventually.True(async () => (await daemon.GetAsync("box")).State is SandboxState.Running or SandboxState.Paused or SandboxState.Stopped or SandboxState.Failed, TimeSpan.FromSeconds(60));
            var after = await daemon.GetAsync("box");
            Assert.True(supervisorToo || after.State is SandboxState.Running or SandboxState.Paused, $"round {round}: {before.State} became {after.State}: {after.Message}");

            // Its numbers are all there, once and in order, whoever writes them now; what runs is what ran.
            await using var again = await daemon.ConnectAsync();
            if (after.State == SandboxState.Paused)
            {
                await again.ResumeAsync("box", None);
            }
            else if (after.State != SandboxState.Running)
            {
                await again.StartAsync("box", None);
            }

            await daemon.CountAsync("box");
            if ((await daemon.ShAsync("box", "ps")).Contains("secret", StringComparison.Ordinal))
            {
                await daemon.AssertGoesOnAsync("box", 0);
            }
            else
            {
                Assert.True(supervisorToo, $"round {round}: its process is gone");
                await again.RollBackAsync(new RollbackParams { Ref = "box", Snapshot = "alive", Memory = true }, None);
                await daemon.AssertGoesOnAsync("box", 0);
            }
        }

        // Nothing is left that no record needs.
        var needed = (await daemon.SnapshotsAsync("box")).Sum(static s => s.HasMemory ? 2 : 1);
        await Eventually.True(() => Directory.GetDirectories(Path.Combine(daemon.State, "pool/snapshots")).Length == needed, TimeSpan.FromSeconds(20));

        async Task ResumeAsync(Transport.Host.HostClient client)
        {
            await client.PauseAsync(new PauseParams { Ref = "box", Disk = true }, None);
            await client.ResumeAsync("box", None);
        }
    }
}
