using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Transport.Host;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Daemon;

/// <summary>Changing a sandbox that exists, disk quotas, and the pool itself, on a small btrfs pool.</summary>
[Collection(DaemonTests.Name)]
public sealed class SettingsTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Limits_labels_and_timeouts_change_while_it_runs_and_survive_a_restart()
    {
        await using var daemon = await TestDaemon.StartAsync();
        await using var client = await daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "box", MemoryBytes = 256 << 20, Pids = 64, Labels = new Dictionary<string, string> { ["a"] = "1", ["b"] = "2" } }, None);
        var reply = await client.SetAsync(
            new SetParams
            {
                Ref = "box", MemoryBytes = 512 << 20, Pids = 200, Cpus = 0.5, TimeoutMs = 3_600_000, IdleTimeoutMs = 60_000, OnTimeout = "pause",
                Labels = new Dictionary<string, string> { ["a"] = "3" }, RemoveLabels = ["b", "not-there"],
            },
            None);
        Assert.Equal((0.5, 512L << 20, 200), (reply.Sandbox.Resources.Cpus, reply.Sandbox.Resources.MemoryBytes, reply.Sandbox.Resources.Pids));
        Assert.Equal("3", Assert.Single(reply.Sandbox.Labels!).Value);
        var usage = await client.StatsAsync("box", None);
        Assert.Equal((512L << 20, 200), (usage.MemoryLimitBytes, usage.PidsLimit));

        // In force: 120 processes were too many before.
        Assert.Equal("120\n", (await RunAsync(client, "i=0; while [ $i -lt 120 ]; do sleep 5 & i=$((i+1)); done; jobs -p | wc -l; kill $(jobs -p)")).Out());
        await client.SetAsync(new SetParams { Ref = "box", MemoryBytes = 64 << 20 }, None);

        await daemon.KillAsync();
        await daemon.StartAgainAsync();
        await using var again = await daemon.ConnectAsync();
        var found = await again.GetAsync("box", None);
        Assert.Equal((64L << 20, "pause", 60_000L), (found.Resources.MemoryBytes, found.OnTimeout, found.IdleTimeoutMs));
    }

    [Fact]
    public async Task What_cannot_be_honoured_is_refused_and_changes_nothing()
    {
        await using var daemon = await TestDaemon.StartAsync("VIVARIUM_LIMITS_MAX_MEMORY=1GiB");
        await using var client = await daemon.ConnectAsync();
        var before = await client.CreateAsync(new CreateParams { Name = "box", MemoryBytes = 256 << 20 }, None);
        await RefusedAsync("over_limit", new SetParams { Ref = "box", MemoryBytes = 2L << 30, Cpus = 0.5 });
        await RefusedAsync("bad_pids", new SetParams { Ref = "box", Pids = 1 });
        await RefusedAsync("bad_cpus", new SetParams { Ref = "box", Cpus = double.MaxValue });
        await RefusedAsync("bad_timeout", new SetParams { Ref = "box", IdleTimeoutMs = -1 });
        await RefusedAsync("bad_on_timeout", new SetParams { Ref = "box", OnTimeout = "dance" });
        await RefusedAsync("quota_not_available", new SetParams { Ref = "box", DiskBytes = 1 << 30 });
        var hog = client.ExecAsync(Run("x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo ready > /tmp/ready; sleep 4; echo ${#x}"), None);
        await Eventually.True(async () => (await RunAsync(client, "cat /tmp/ready")).Exit.Code == 0, TimeSpan.FromSeconds(30));
        await RefusedAsync("memory_in_use", new SetParams { Ref = "box", MemoryBytes = 32 << 20 });
        Assert.Equal("60000000\n", (await hog).Out());
        var after = await client.GetAsync("box", None);
        Assert.Equal((before.Resources, before.IdleTimeoutMs, before.OnTimeout), (after.Resources, after.IdleTimeoutMs, after.OnTimeout));

        async Task RefusedAsync(string reason, SetParams p)
        {
            var error = await Assert.ThrowsAsync<VivariumException>(() => client.SetAsync(p, None));
            Assert.Equal(reason, error.Reason);
        }
    }

    [Fact]
    public async Task A_disk_limit_holds_inside_and_is_raised_while_it_runs_and_the_pool_grows_and_is_checked()
    {
        await using var daemon = await TestDaemon.StartAsync("VIVARIUM_POOL_STORE=btrfs", "VIVARIUM_POOL_SIZE=512MiB", "VIVARIUM_DEFAULTS_DISK=20MiB");
        await using var client = await daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "box" }, None);
        await client.CreateAsync(new CreateParams { Name = "other", DiskBytes = 100 << 20 }, None);
        var write = "dd if=/dev/urandom of=/root/big bs=1000000 count=30 && sync && wc -c < /root/big";
        var full = await RunAsync(client, write);
        Assert.Contains("quota exceeded", full.Err(), StringComparison.OrdinalIgnoreCase);
        Assert.Equal("30000000\n", (await client.ExecAsync(new RunParams { Ref = "other", Request = new ExecRequest { Argv = ["sh", "-c", write] } }, None)).Out());
        Assert.InRange((await client.GetAsync("box", None)).DiskUsedBytes ?? 0, 1 << 20, 21 << 20);
        await client.SetAsync(new SetParams { Ref = "box", DiskBytes = 60 << 20 }, None);
        Assert.Equal("30000000\n", (await RunAsync(client, write)).Out());

        var pool = await client.PoolAsync(None);
        Assert.Equal(("btrfs", "healthy", 2), (pool.Store, pool.State, pool.Sandboxes));
        await client.SetAsync(new SetParams { Ref = "other", DiskBytes = 0 }, None);
        await client.ExecAsync(new RunParams { Ref = "other", Request = new ExecRequest { Argv = ["sh", "-c", "cat /dev/zero > /root/all; sync"] } }, None);
        var refused = await Assert.ThrowsAsync<VivariumException>(() => client.CreateAsync(new CreateParams(), None));
        Assert.Equal("pool_full", refused.Reason);
        Assert.Equal("critical", (await client.PoolAsync(None)).State);
        Assert.Equal(0, (await RunAsync(client, "true")).Exit.Code);

        var grown = await client.GrowPoolAsync(new PoolGrowParams { TotalBytes = 2L << 30 }, None);
        Assert.Equal("healthy", grown.State);
        Assert.Equal(ErrorCode.InvalidArgument, (await Assert.ThrowsAsync<VivariumException>(() => client.GrowPoolAsync(new PoolGrowParams { TotalBytes = 1 }, None))).Code);
        var check = await client.CheckPoolAsync(None);
        Assert.Equal((0L, 0L), (check.Errors, check.Uncorrectable));
        Assert.True(check.Bytes > 60_000_000, $"{check.Bytes} bytes were read");
        await client.DestroyAsync(new DestroyParams { Ref = "other", Force = true, Now = true }, None);
        var events = new List<HostEvent>();
        client.OnEvent = events.Add;
        await client.SubscribeAsync(new SubscribeParams { After = 0, Once = true }, None);
        Assert.Equal(["pool.critical", "pool.healthy"], events.Select(static e => e.Type).Where(static t => t.StartsWith("pool.", StringComparison.Ordinal) && t != "pool.degraded"));
    }

    private static RunParams Run(string script) => new() { Ref = "box", Request = new ExecRequest { Argv = ["sh", "-c", script] } };

    private static Task<RunReply> RunAsync(HostClient client, string script) => client.ExecAsync(Run(script), None);
}
