using System.Collections.Concurrent;
using System.Globalization;
using Vivarium.Host.Tests.Support;
using Vivarium.Transport.Host;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Daemon;

/// <summary>What the clients of <see cref="KillEverythingTests"/> do, what they were told, and what was cut under them.</summary>
internal sealed class KillWork
{
    private const int Population = 10;
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly ConcurrentDictionary<Step, int> cut = new();
    private int done;
    private int names;

    /// <summary>Operations that are cut; the first five are those of the reliability table.</summary>
    public enum Step
    {
        Create,
        Snapshot,
        Rollback,
        Fork,
        Destroy,
        StopOrStart,
        Pause,
        Exec,
        List,
    }

    /// <summary>What callers were told of a sandbox.</summary>
    public enum Life
    {
        Wanted,
        Made,
        Doomed,
        Gone,
    }

    /// <summary>By name.</summary>
    public ConcurrentDictionary<string, Life> Lives { get; } = new(StringComparer.Ordinal);

    /// <summary>What a whole sandbox of this name may hold: the name of the one it was made as, or forked from.</summary>
    public ConcurrentDictionary<string, string> Contents { get; } = new(StringComparer.Ordinal);

    /// <summary>Snapshots that were acknowledged, or found after a start: name, and its sandbox's.</summary>
    public ConcurrentDictionary<string, string> Snapshots { get; } = new(StringComparer.Ordinal);

    /// <summary>Operations cut so far; a cut list harms nobody and is no point.</summary>
    public int Cut => cut.Where(static c => c.Key != Step.List).Sum(static c => c.Value);

    /// <summary>Operations completed so far.</summary>
    public int Done => Volatile.Read(ref done);

    /// <summary>How many of one kind were cut.</summary>
    public int CutOf(Step step) => cut.GetValueOrDefault(step);

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Cut} operations cut ({string.Join(", ", cut.OrderBy(static c => c.Key).Select(static c => $"{c.Value} {c.Key}"))}), {done} completed, {names} sandboxes and snapshots");

    /// <summary>One client that does one thing after another until the daemon dies under it.</summary>
    public async Task RunAsync(TestDaemon daemon, Random choice, CancellationToken over)
    {
        Step? underWay = null;
        try
        {
            await using var client = await daemon.ConnectAsync();
            while (!over.IsCancellationRequested)
            {
                (underWay, var run) = Next(client, choice);
                await run();
                if (underWay != Step.List)
                {
                    Interlocked.Increment(ref done);
                }

                underWay = null;
            }
        }
        catch (VivariumException)
        {
            if (underWay is { } step && over.IsCancellationRequested)
            {
                cut.AddOrUpdate(step, 1, static (_, count) => count + 1);
            }
        }
    }

    /// <summary>Takes a snapshot while nothing is cut, so that there is something to roll back to: between two kills few are ever finished.</summary>
    public async Task PrepareAsync(HostClient client)
    {
        if (Lives.Where(l => l.Value == Life.Made && !Snapshots.Values.Contains(l.Key)).Select(static l => l.Key).FirstOrDefault() is { } name)
        {
            await RefusedOrDoneAsync(() => SnapshotAsync(client, name));
        }
    }

    /// <summary>Runs a shell line in a sandbox.</summary>
    public static RunParams Shell(string reference, string script) => new() { Ref = reference, Request = new ExecRequest { Argv = ["sh", "-c", script] } };

    private (Step Step, Func<Task> Run) Next(HostClient client, Random choice)
    {
        var known = Lives.Where(static l => l.Value == Life.Made).Select(static l => l.Key).ToArray();
        var name = known.Length == 0 ? null : known[choice.Next(known.Length)];
        var target = Snapshots.Where(s => Lives.GetValueOrDefault(s.Value) == Life.Made).OrderBy(_ => choice.Next()).FirstOrDefault();
        (Step Step, Func<Task> Run) next = choice.Next(16) switch
        {
            < 3 when known.Length < Population => (Step.Create, () => CreateAsync(client)),
            < 5 when name is not null => (Step.Snapshot, () => SnapshotAsync(client, name)),
            < 7 when target.Key is not null => (Step.Rollback, () => client.RollBackAsync(new RollbackParams { Ref = target.Value, Snapshot = target.Key }, None)),
            < 9 when name is not null && known.Length < Population => (Step.Fork, () => ForkAsync(client, name)),
            < 13 when name is not null && known.Length > 1 => (Step.Destroy, () => DestroyAsync(client, name, choice.Next(2) == 0)),
            13 when name is not null => (Step.StopOrStart, choice.Next(2) == 0
                ? () => client.StopAsync(new StopSandboxParams { Ref = name, Force = choice.Next(2) == 0 }, None)
                : () => client.StartAsync(name, None)),
            14 when name is not null => (Step.Pause, () => PauseAsync(client, name)),
            15 when name is not null => (Step.Exec, () => client.ExecAsync(Shell(name, "i=0; while [ $i -lt 200 ]; do i=$((i+1)); done"), None)),
            _ => (Step.List, () => client.ListAsync(new ListParams(), None)),
        };
        return (next.Step, () => RefusedOrDoneAsync(next.Run));
    }

    private async Task CreateAsync(HostClient client)
    {
        var name = $"n{Interlocked.Increment(ref names)}";
        Contents[name] = name;
        Lives[name] = Life.Wanted;
        await client.CreateAsync(new CreateParams { Name = name }, None);
        Lives[name] = Life.Made;
        await client.ExecAsync(Shell(name, $"echo {name} > /root/whole && sync /root/whole"), None);
    }

    private async Task SnapshotAsync(HostClient client, string name)
    {
        var snapshot = $"s{Interlocked.Increment(ref names)}";
        await client.SnapshotAsync(new SnapshotParams { Ref = name, Name = snapshot }, None);
        Snapshots[snapshot] = name;
    }

    private async Task ForkAsync(HostClient client, string source)
    {
        var name = $"f{Interlocked.Increment(ref names)}";
        Contents[name] = Contents[source];
        Lives[name] = Life.Wanted;
        await client.ForkAsync(new ForkParams { Ref = source, Name = name }, None);
        Lives[name] = Life.Made;
    }

    private async Task DestroyAsync(HostClient client, string name, bool now)
    {
        Lives[name] = Life.Doomed;
        await client.DestroyAsync(new DestroyParams { Ref = name, Force = true, Now = now }, None);
        Lives[name] = Life.Gone;
    }

    private static async Task PauseAsync(HostClient client, string name)
    {
        await client.PauseAsync(name, None);
        await client.ResumeAsync(name, None);
    }

    /// <summary>Two clients on one sandbox: one of them is refused, or overtaken by a destroy.</summary>
    private static async Task RefusedOrDoneAsync(Func<Task> run)
    {
        try
        {
            await run();
        }
        catch (VivariumException e) when (e.Code is ErrorCode.FailedPrecondition or ErrorCode.NotFound or ErrorCode.Canceled or ErrorCode.AlreadyExists)
        {
        }
    }
}
