using System.Globalization;
using Microsoft.Extensions.Logging;
using Vivarium.Configuration.Sections;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Snapshots;
using Vivarium.Host.Supervision;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Warm;

/// <summary>
/// Keeps sandboxes ready for shapes lately used. A reconciler without inputs: each pass compares what there should be with what there is and makes or removes the
/// difference, one at a time; it runs when something changed and once in a while as long as there is anything to keep. An idle daemon without shapes does nothing.
/// </summary>
/// <remarks>
/// A create takes what is ready and never waits for this. What has gone stale (its template was rebuilt, its supervisor died, its shape is unused) and, under
/// pressure (pool nearly full, little memory), everything, is removed. A clean stop of the daemon removes all; after any other end the next daemon takes over those
/// that are ready (<see cref="WarmNotes"/>), and what was being made or given away is an orphan.
/// </remarks>
internal sealed partial class WarmPool(HostServices host, SandboxWorkflows workflows) : IAsyncDisposable
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan AfterCreate = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan AfterFailure = TimeSpan.FromSeconds(30);

    private readonly WarmPoolConfig config = host.Config.WarmPool;
    private readonly WarmStock stock = new(host.Time);
    private readonly SemaphoreSlim changed = new(0, 1);
    private readonly CancellationTokenSource stopping = new();
    private readonly ILogger logger = host.Loggers.CreateLogger<WarmPool>();
    private readonly WarmNotes notes = new(host.Paths);
    private IReadOnlyList<WarmNote> left = [];
    private Task running = Task.CompletedTask;
    private string? held;
    private long? failedAt;

    /// <summary>Begins to keep; called when what the last daemon left is settled.</summary>
    public void Start()
    {
        if (config.Enabled && !stopping.IsCancellationRequested)
        {
            running = Task.Run(RunAsync);
        }
    }

    /// <summary>Looks at what the last daemon had ready, so that none of it is taken for an orphan and its ranges of ids stay its own; before anything else is made.</summary>
    public void Expect()
    {
        if (!config.Enabled)
        {
            return;
        }

        left = [.. notes.All().Where(n => !host.Catalog.Contains(n.Record.Id.Value))];
        foreach (var note in left)
        {
            stock.Announce(note.Record.Id.Value);
            if (note.Record.IdSlot is { } slot)
            {
                host.Catalog.HoldSlot(slot);
            }
        }
    }

    /// <summary>Takes over what the last daemon had ready, or removes it. Does not throw.</summary>
    public async Task TakeOverAsync()
    {
        foreach (var note in left)
        {
            SupervisorLink? link = null;
            try
            {
                link = await SupervisorLink.OpenAsync(host.Paths.Supervisor(note.Record.Id).Socket, host.Time, stopping.Token).ConfigureAwait(false);
                if (link is { IsOver: false, Incompatible: null, Status.Phase: SupervisorPhase.Running })
                {
                    stock.Use(note.Shape);
                    stock.Add(new WarmSandbox(note.Shape, note.Record, link, link.Info.EnginePid));
                    link.WhenOver(Wake);
                    LogTakenOver(note.Record.Id.Value, note.Shape.Template, note.Shape.Runtime);
                    continue;
                }
            }
            catch (Exception e) when (e is VivariumException or IOException or System.Net.Sockets.SocketException or OperationCanceledException)
            {
                // It died with the daemon, or is about to.
            }

            await RemoveAsync(note.Record, link).ConfigureAwait(false);
        }

        left = [];
        Wake();
    }

    /// <summary>Before it is changed in any way for somebody: from here on a daemon that dies leaves it to its record, or to be reclaimed.</summary>
    public void Give(WarmSandbox warm) => notes.Remove(warm.Record.Id);

    /// <summary>A ready sandbox for this create, which is its owner's from now on; null when it must start cold.</summary>
    public WarmSandbox? TryTake(SandboxRecord wanted)
    {
        return config.Enabled && !stopping.IsCancellationRequested && WarmShape.Of(wanted) is { } shape ? stock.TryTake(shape, wanted) : null;
    }

    /// <summary>A create is done: its shape is kept ready from now on.</summary>
    public void Used(SandboxRecord wanted)
    {
        if (config.Enabled && WarmShape.Of(wanted) is { } shape)
        {
            stock.Use(shape);
            Wake();
        }
    }

    /// <summary>The create that took it is in the catalog: whatever becomes of it is that sandbox's affair.</summary>
    public void HandOver(WarmSandbox? warm)
    {
        if (warm is not null)
        {
            stock.Forget(warm.Record.Id.Value);
        }
    }

    /// <summary>The create that took it was refused: it is as good as before.</summary>
    public void GiveBack(WarmSandbox warm) => stock.Add(warm);

    /// <summary>Removes one that was taken and could not be used.</summary>
    public async Task DiscardAsync(WarmSandbox warm)
    {
        await RemoveAsync(warm).ConfigureAwait(false);
        Wake();
    }

    /// <summary>Whether an id is of something made ahead.</summary>
    public bool Contains(string id) => stock.Contains(id);

    /// <summary>What there is now; null when it is switched off.</summary>
    public WarmPoolStatus? Status() => !config.Enabled ? null : new WarmPoolStatus
    {
        Ready = stock.Count,
        Max = config.Max,
        Taken = stock.Taken,
        Held = Volatile.Read(ref held),
        Shapes = [.. Plan().Select(static p => new WarmShapeStatus
        {
            Template = p.Shape.Template,
            Runtime = p.Shape.Runtime,
            Cpus = p.Shape.Cpus,
            MemoryBytes = p.Shape.MemoryBytes,
            Pids = p.Shape.Pids,
            Ready = p.Ready,
            Wanted = p.Wanted,
        })],
    };

    /// <summary>Stops keeping and removes all that are ready; those taken are not touched.</summary>
    public async Task StopAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(stock.Withdraw(static _ => true).Select(RemoveAsync)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        stopping.Dispose();
        changed.Dispose();
    }

    private void Wake()
    {
        try
        {
            changed.Release();
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // It is awake, or gone.
        }
    }

    private async Task RunAsync()
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                // Without shapes there is nothing to look after until one is used.
                var patience = stock.Count == 0 && stock.Shapes(config.Keep).Count == 0 ? Timeout.InfiniteTimeSpan : LookAgain;
                using var look = new Timers.Deadline(host.Time, patience, stopping.Token);
                await changed.WaitAsync(look.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // Time to look, or to stop.
            }

            try
            {
                // Whoever has just got a sandbox is about to use it; the machine is theirs first.
                await Task.Delay(AfterCreate, host.Time, stopping.Token).ConfigureAwait(false);
                await ReconcileAsync(stopping.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Creates start cold meanwhile; the shape is tried again after a while.
                failedAt = host.Time.GetTimestamp();
                Volatile.Write(ref held, "making one failed: " + e.Message);
                LogFailed(e);
            }
        }
    }

    private async Task ReconcileAsync(CancellationToken cancellationToken)
    {
        await RemoveAllAsync(static w => w.Link.IsOver).ConfigureAwait(false);
        var shapes = stock.Shapes(config.Keep);
        await RemoveAllAsync(w => !shapes.Any(s => s.Shape == w.Shape)).ConfigureAwait(false);
        if (shapes.Count == 0)
        {
            return;
        }

        if (await PressureAsync(cancellationToken).ConfigureAwait(false) is { } pressure)
        {
            Volatile.Write(ref held, pressure);
            await RemoveAllAsync(static _ => true).ConfigureAwait(false);
            return;
        }

        if (failedAt is { } at && host.Time.GetElapsedTime(at) < AfterFailure)
        {
            return;
        }

        (failedAt, held) = (null, null);
        foreach (var (shape, _) in shapes)
        {
            var digest = await DigestOfAsync(shape, cancellationToken).ConfigureAwait(false);
            await RemoveAllAsync(w => w.Shape == shape && w.Record.TemplateDigest != digest).ConfigureAwait(false);
            if (digest is null)
            {
                stock.Unuse(shape);
            }
        }

        foreach (var (shape, ready, wanted) in Plan())
        {
            var surplus = ready - wanted;
            await RemoveAllAsync(w => w.Shape == shape && surplus-- > 0).ConfigureAwait(false);
        }

        // What a plan made a moment ago says may be old after each one made: plan again.
        while (Next() is { } next)
        {
            cancellationToken.ThrowIfCancellationRequested();
            stock.Add(await MakeAsync(next, cancellationToken).ConfigureAwait(false));
        }
    }

    private IReadOnlyList<(WarmShape Shape, int Ready, int Wanted)> Plan() => WarmStock.Plan(stock.Shapes(config.Keep), config.PerShape, config.Max);

    private WarmShape? Next() => stock.Count >= config.Max ? null : Plan().Where(static p => p.Ready < p.Wanted).Select(static p => p.Shape).FirstOrDefault();

    private async Task<WarmSandbox> MakeAsync(WarmShape shape, CancellationToken cancellationToken)
    {
        var engine = await host.Engines.ChooseAsync(shape.Runtime, cancellationToken).ConfigureAwait(false);
        var digest = await DigestOfAsync(shape, cancellationToken).ConfigureAwait(false);
        var template = digest is not null
            ? await host.Templates.ResolveAsync(digest, null, cancellationToken).ConfigureAwait(false)
            : throw new VivariumException(ErrorCode.NotFound, $"the template {shape.Template} is gone", reason: "no_such_template");
        var record = new SandboxRecord
        {
            Id = SandboxId.New(),
            Name = host.Catalog.SuggestName(),
            State = SandboxState.Creating,
            Runtime = engine.Runtime,
            Engine = engine.Engine,
            Isolated = engine.Isolated,
            Template = shape.Template,
            TemplateDigest = template.Digest,
            Resources = new ResourceSpec { Cpus = shape.Cpus, MemoryBytes = shape.MemoryBytes, Pids = shape.Pids },
            Network = "none",
            Env = template.Env,
            User = template.User,
            Workdir = template.Workdir,
            IdSlot = host.Catalog.HoldSlot(),
            CreatedUnixMs = host.Now,
            OnTimeout = "kill",
        };
        stock.Announce(record.Id.Value);
        var sandbox = workflows.Make(record);
        try
        {
            var generation = await workflows.Create.CloneAsync(record, template, cancellationToken).ConfigureAwait(false);
            await workflows.Start.RunAsync(sandbox, engine, secrets: null, progress: null, cancellationToken).ConfigureAwait(false);
            var link = sandbox.RequireLink("warming");
            var info = await link.InfoAsync(cancellationToken).ConfigureAwait(false);
            await RehearseAsync(link, cancellationToken).ConfigureAwait(false);
            sandbox.Abandon();
            link.WhenOver(Wake);
            var made = record with { Lineage = new Lineage { OriginVolume = template.VolumeKey, OriginGeneration = generation } };
            notes.Write(new WarmNote(shape, made));
            LogMade(record.Id.Value, shape.Template, shape.Runtime);
            return new WarmSandbox(shape, made, link, info.EnginePid);
        }
        catch
        {
            await RemoveAsync(record, sandbox.Abandon()).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Starts the agent's own program once, which says its version and ends, and the template's shell where it has one: the first command of a fresh agent takes several times as
    /// long as the next, and the first to use a library reads it from the pool. The agent forgets both when it is configured for its user.
    /// </summary>
    private static async Task RehearseAsync(SupervisorLink link, CancellationToken cancellationToken)
    {
        await RunAsync(link, ["/run/vivarium/viv-guest", "version"], cancellationToken).ConfigureAwait(false);
        try
        {
            await RunAsync(link, ["/bin/sh", "-c", ":"], cancellationToken).ConfigureAwait(false);
        }
        catch (VivariumException e) when (e.Code is ErrorCode.NotFound or ErrorCode.PermissionDenied)
        {
            // A template without a shell.
        }
    }

    private static async Task RunAsync(SupervisorLink link, IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        var exec = await link.StartExecAsync(new ExecRequest { Argv = command, Cwd = "/", User = "0" }, cancellationToken).ConfigureAwait(false);
        await using (exec.ConfigureAwait(false))
        {
            await exec.CopyOutputAsync(Stream.Null, Stream.Null, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Digest its template has now; null when it is not there. Never builds one.</summary>
    private async Task<string?> DigestOfAsync(WarmShape shape, CancellationToken cancellationToken)
    {
        try
        {
            var info = await host.Templates.GetAsync(shape.Template, cancellationToken).ConfigureAwait(false);
            return string.IsNullOrEmpty(info.Digest) ? null : info.Digest;
        }
        catch (VivariumException e) when (e.Code == ErrorCode.NotFound)
        {
            return null;
        }
    }

    private async Task<string?> PressureAsync(CancellationToken cancellationToken)
    {
        var volumes = await host.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        var health = await host.Pool.CheckAsync(volumes, cancellationToken).ConfigureAwait(false);
        if (health.State != PoolState.Healthy)
        {
            return health.Message;
        }

        var free = AvailableMemory();
        return free < config.MinFreeMemory.Bytes ? $"{free >> 20} MiB of memory are available, less than warm_pool.min_free_memory" : null;
    }

    /// <summary>MemAvailable of /proc/meminfo; source: proc(5).</summary>
    private static long AvailableMemory()
    {
        const string Key = "MemAvailable:";
        foreach (var line in File.ReadLines("/proc/meminfo"))
        {
            if (line.StartsWith(Key, StringComparison.Ordinal))
            {
                return long.Parse(line.AsSpan(Key.Length).Trim().ToString().Split(' ')[0], CultureInfo.InvariantCulture) * 1024;
            }
        }

        return long.MaxValue;
    }

    private Task RemoveAllAsync(Predicate<WarmSandbox> match) => Task.WhenAll(stock.Withdraw(match).Select(RemoveAsync));

    private Task RemoveAsync(WarmSandbox warm) => RemoveAsync(warm.Record, warm.Link);

    private async Task RemoveAsync(SandboxRecord record, SupervisorLink? link)
    {
        try
        {
            await RemoveNowAsync(record, link).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // Its range of ids stays set aside until it is gone; after a crash the next start finds it, for no record knows it.
            LogRemoveFailed(e, record.Id.Value);
            host.Leftovers.Add("sandbox made ahead", record.Id.Value, e, () => RemoveNowAsync(record, null));
        }
    }

    private async Task RemoveNowAsync(SandboxRecord record, SupervisorLink? link)
    {
        if (link is { IsOver: false })
        {
            // Its own deadline bounds it; a removal that was begun is finished.
            await link.ForceStopAsync(CancellationToken.None).ConfigureAwait(false);
        }

        await host.Remains.RemoveAsync(record.Id, link, SupervisorRemains.ForcedPatience).ConfigureAwait(false);
        await workflows.Destroy.DeleteDataAsync(record.Id).ConfigureAwait(false);
        host.Catalog.ReleaseSlot(record.IdSlot);
        stock.Forget(record.Id.Value);
    }

    [LoggerMessage(EventId = 1901, Level = LogLevel.Debug, Message = "sandbox {SandboxId} of template {Template}, runtime {Runtime}, is ready ahead of need")]
    private partial void LogMade(string sandboxId, string template, string runtime);

    [LoggerMessage(EventId = 1904, Level = LogLevel.Information, Message = "took over sandbox {SandboxId} of template {Template}, runtime {Runtime}, which the last daemon had ready")]
    private partial void LogTakenOver(string sandboxId, string template, string runtime);

    [LoggerMessage(EventId = 1902, Level = LogLevel.Warning, Message = "keeping sandboxes ready failed; it is tried again, and creates start cold meanwhile")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(EventId = 1903, Level = LogLevel.Warning, Message = "removing the sandbox {SandboxId}, made ahead of need, failed; it is tried again until it is gone")]
    private partial void LogRemoveFailed(Exception exception, string sandboxId);
}
