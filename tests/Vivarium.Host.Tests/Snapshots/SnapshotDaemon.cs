using Vivarium.Host.Tests.Support;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Snapshots;

/// <summary>One daemon with a btrfs pool for the tests of a class, and short ways to say what they do.</summary>
public sealed class SnapshotDaemon : IAsyncLifetime
{
    internal static readonly string[] Btrfs = ["VIVARIUM_POOL_STORE=btrfs", "VIVARIUM_POOL_SIZE=4GiB", "VIVARIUM_LIMITS_MAX_TURN_SNAPSHOTS=6"];

    internal TestDaemon Daemon { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Daemon = await TestDaemon.StartAsync(Btrfs);

    public ValueTask DisposeAsync() => Daemon.DisposeAsync();
}

/// <summary>Short ways to say what the snapshot tests do.</summary>
internal static class SnapshotCalls
{
    private static readonly CancellationToken None = CancellationToken.None;

    public static async Task<string> ShAsync(this TestDaemon daemon, string sandbox, string script)
    {
        var reply = await daemon.RunAsync(sandbox, "sh", "-c", script);
        Assert.True(reply.Exit.Code == 0, $"{script}: {Text(reply.Stderr)}");
        return Text(reply.Stdout);
    }

    public static async Task<SnapshotInfo> SnapshotAsync(this TestDaemon daemon, string sandbox, string? name = null, bool hold = false)
    {
        await using var client = await daemon.ConnectAsync();
        return await client.SnapshotAsync(new SnapshotParams { Ref = sandbox, Name = name, Hold = hold }, None);
    }

    public static async Task<SnapshotInfo> TurnAsync(this TestDaemon daemon, string sandbox, string? label = null)
    {
        await using var client = await daemon.ConnectAsync();
        return await client.CompleteTurnAsync(new TurnParams { Ref = sandbox, Label = label }, None);
    }

    public static async Task<IReadOnlyList<SnapshotInfo>> SnapshotsAsync(this TestDaemon daemon, string? sandbox)
    {
        await using var client = await daemon.ConnectAsync();
        return (await client.SnapshotsAsync(new SnapshotListParams { Ref = sandbox }, None)).Snapshots;
    }

    public static async Task<SandboxInfo> RollBackAsync(this TestDaemon daemon, string sandbox, string snapshot, bool discard = false)
    {
        await using var client = await daemon.ConnectAsync();
        return await client.RollBackAsync(new RollbackParams { Ref = sandbox, Snapshot = snapshot, DiscardLater = discard }, None);
    }

    public static async Task<IReadOnlyList<SandboxInfo>> ForkAsync(this TestDaemon daemon, string source, int count = 1, string? name = null)
    {
        await using var client = await daemon.ConnectAsync();
        return (await client.ForkAsync(new ForkParams { Ref = source, Count = count, Name = name }, None)).Sandboxes;
    }

    public static async Task<DiffReply> DiffAsync(this TestDaemon daemon, string sandbox, string? from = null, string? to = null)
    {
        await using var client = await daemon.ConnectAsync();
        return await client.DiffAsync(new DiffParams { Ref = sandbox, From = from, To = to }, None);
    }

    public static async Task DeleteSnapshotAsync(this TestDaemon daemon, string sandbox, string snapshot)
    {
        await using var client = await daemon.ConnectAsync();
        await client.DeleteSnapshotAsync(new SnapshotRefParams { Ref = sandbox, Snapshot = snapshot }, None);
    }

    public static async Task<string?> ReasonAsync(Func<Task> action) => (await Assert.ThrowsAnyAsync<VivariumException>(action)).Reason;

    public static string Paths(this DiffReply diff) => string.Join(' ', diff.Entries.Select(static e => $"{e.Change[0]}:{e.Path}"));

    private static string Text(string base64) => System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(base64));
}
