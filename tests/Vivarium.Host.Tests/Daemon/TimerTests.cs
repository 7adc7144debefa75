using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Daemon;

[Collection(DaemonTests.Name)]
public sealed class TimerTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_life_ends_in_time_and_says_why()
    {
        await using var daemon = await TestDaemon.StartAsync();
        await using var client = await daemon.ConnectAsync();
        var made = await client.CreateAsync(new CreateParams { TimeoutMs = 600 }, None);
        await Eventually.True(async () => (await daemon.ListAsync()).Count == 0, TimeSpan.FromSeconds(10));
        var events = new List<HostEvent>();
        client.OnEvent = events.Add;
        await client.SubscribeAsync(new SubscribeParams { After = 0, Once = true, Ref = made.Id }, None);
        Assert.Equal(("sandbox.destroyed", "timeout"), (events[^1].Type, events[^1].Reason));
    }

    [Fact]
    public async Task A_timeout_may_pause_and_resuming_counts_anew()
    {
        await using var daemon = await TestDaemon.StartAsync();
        await using var client = await daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "box", TimeoutMs = 800, OnTimeout = "pause" }, None);
        await Eventually.True(async () => (await daemon.GetAsync("box")).State == SandboxState.Paused);
        var paused = await daemon.GetAsync("box");
        Assert.Equal(("timeout", null), (paused.Reason, paused.ExpiresUnixMs));
        Assert.NotNull((await client.ResumeAsync("box", None)).ExpiresUnixMs);
        Assert.Null((await client.SetTimeoutAsync(new SetTimeoutParams { Ref = "box", TimeoutMs = 0 }, None)).ExpiresUnixMs);
    }

    [Fact]
    public async Task Idleness_ends_a_life_and_activity_keeps_it()
    {
        await using var daemon = await TestDaemon.StartAsync();
        await using var client = await daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "idle", IdleTimeoutMs = 700 }, None);
        await client.CreateAsync(new CreateParams { Name = "busy", IdleTimeoutMs = 700 }, None);
        var working = client.ExecAsync(new RunParams { Ref = "busy", Request = new ExecRequest { Argv = ["sleep", "3"] } }, None);
        await Eventually.True(async () => (await daemon.ListAsync()).All(static s => s.Name != "idle"));
        Assert.Equal(0, (await working).Exit.Code);
        Assert.Contains(await daemon.ListAsync(), static s => s.Name == "busy");
        await Eventually.True(async () => (await daemon.ListAsync()).Count == 0);
    }

    [Fact]
    public async Task A_new_daemon_keeps_the_appointments_of_the_old_one()
    {
        await using var daemon = await TestDaemon.StartAsync();
        await using (var client = await daemon.ConnectAsync())
        {
            await client.CreateAsync(new CreateParams { Name = "missed", TimeoutMs = 500 }, None);
            await client.CreateAsync(new CreateParams { Name = "ahead", TimeoutMs = 3_600_000 }, None);
        }

        var expires = (await daemon.GetAsync("ahead")).ExpiresUnixMs;
        await daemon.KillAsync();
        await Task.Delay(TimeSpan.FromMilliseconds(600), TimeProvider.System);
        await daemon.StartAgainAsync();
        await Eventually.True(async () => (await daemon.ListAsync()).Count == 1);
        var left = await daemon.GetAsync("ahead");
        Assert.Equal((SandboxState.Running, expires), (left.State, left.ExpiresUnixMs));
    }

    [Fact]
    public async Task Timeouts_out_of_range_change_nothing()
    {
        await using var daemon = await TestDaemon.StartAsync("VIVARIUM_LIMITS_MAX_TIMEOUT=1h");
        await using var client = await daemon.ConnectAsync();
        var made = await client.CreateAsync(new CreateParams { Name = "box" }, None);
        Assert.NotNull(made.ExpiresUnixMs);
        await Assert.ThrowsAsync<VivariumException>(() => client.SetTimeoutAsync(new SetTimeoutParams { Ref = "box", TimeoutMs = 7_200_000 }, None));
        await Assert.ThrowsAsync<VivariumException>(() => client.SetTimeoutAsync(new SetTimeoutParams { Ref = "box", TimeoutMs = -5 }, None));
        Assert.Equal(made.ExpiresUnixMs, (await daemon.GetAsync("box")).ExpiresUnixMs);
    }
}
