using System.Globalization;
using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;

namespace Vivarium.Host.Tests.Snapshots;

/// <summary>One daemon whose sandboxes are gVisor's, with a btrfs pool. Tests that need one skip where no runsc saves memory.</summary>
public sealed class MemoryDaemon : IAsyncLifetime
{
    internal static readonly string[] Gvisor = [.. SnapshotDaemon.Btrfs, "VIVARIUM_DEFAULTS_RUNTIME=gvisor"];

    internal TestDaemon Daemon { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Daemon = await TestDaemon.StartAsync(Gvisor);

    public ValueTask DisposeAsync() => Daemon.DisposeAsync();
}

/// <summary>A process that counts into a file it keeps open, and holds a number nobody wrote down.</summary>
internal static class Counting
{
    private const string Script = "exec 3>/root/count; secret=$(head -c 8 /dev/urandom | md5sum | cut -c1-8); echo $secret > /root/secret; i=0; while :; do i=$((i+1)); echo $i >&3; echo $secret > /root/says.new; mv /root/says.new /root/says; sleep 0.02; done";

    public static async Task RequireMemoryAsync(this TestDaemon daemon)
    {
        await using var client = await daemon.ConnectAsync();
        var engines = (await client.InfoAsync(CancellationToken.None)).Engines;
        Assert.SkipUnless(engines.Any(static e => e is { Works: true, MemorySnapshots: true }), "no runsc that saves memory is installed: eng/packages.sh gets one");
    }

    public static async Task StartCountingAsync(this TestDaemon daemon, string sandbox)
    {
        await daemon.ShAsync(sandbox, $"setsid sh -c '{Script}' > /dev/null 2>&1 < /dev/null &");
        await Eventually.True(async () => await daemon.CountAsync(sandbox) > 2);
    }

    /// <summary>How far it has come; every number must be there once, in order.</summary>
    public static async Task<int> CountAsync(this TestDaemon daemon, string sandbox)
    {
        var lines = (await daemon.ShAsync(sandbox, "cat /root/count 2>/dev/null || true")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(Enumerable.Range(1, lines.Length).Select(static i => i.ToString(CultureInfo.InvariantCulture)), lines);
        return lines.Length;
    }

    /// <summary>It goes on, and it is the process it was: what it holds in memory is what it wrote down first.</summary>
    public static async Task<int> AssertGoesOnAsync(this TestDaemon daemon, string sandbox, int from)
    {
        await daemon.ShAsync(sandbox, "rm -f /root/says");
        await Eventually.True(async () => await daemon.CountAsync(sandbox) > from && (await daemon.ShAsync(sandbox, "cat /root/says 2>/dev/null || true")).Length > 0, TimeSpan.FromSeconds(20));
        Assert.Equal(await daemon.ShAsync(sandbox, "cat /root/secret"), await daemon.ShAsync(sandbox, "cat /root/says"));
        return await daemon.CountAsync(sandbox);
    }
}
