using Microsoft.Extensions.Logging;
using Vivarium.Configuration;
using Vivarium.Host.Engines;
using Vivarium.Host.Events;
using Vivarium.Host.Health;
using Vivarium.Host.Metrics;
using Vivarium.Host.Naming;
using Vivarium.Host.Network;
using Vivarium.Host.Operations;
using Vivarium.Host.Pool;
using Vivarium.Host.Processes;
using Vivarium.Host.Recovery;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Snapshots;
using Vivarium.Host.State;
using Vivarium.Host.Supervision;
using Vivarium.Host.Templates;
using Vivarium.Host.Timers;
using Vivarium.Host.Tools;
using Vivarium.Wire.Errors;

namespace Vivarium.Host;

/// <summary>
/// The domain, put together: everything the daemon's facades call. Opening it reads the database only; what takes long (pool, engines, re-attachment) goes on in
/// the background while requests are answered already.
/// </summary>
public sealed partial class VivariumHost : IAsyncDisposable
{
    private const int ReattachedAtOnce = 16;
    private const string Recovery = "recovery";

    private readonly StateDatabase database;
    private readonly ILogger<VivariumHost> logger;
    private readonly CancellationTokenSource stopping = new();
    private Task recovery = Task.CompletedTask;

    private VivariumHost(HostServices services, StateDatabase database)
    {
        this.database = database;
        Services = services;
        logger = services.Loggers.CreateLogger<VivariumHost>();
        Workflows = new SandboxWorkflows(services);
        Access = new SandboxAccess(services, Workflows);
        Runs = new ProcessRuns(Access, services.Metrics);
        Processes = new SandboxProcesses(services, Access);
        Logs = new ProcessLogs(services, Processes);
        Tools = new ToolCalls(services, Access);
        Reports = new Reports(services, Workflows.Warm);
        Pool = new PoolView(services);
        Doctor = new Doctor(services, database);
        Gauges = new HostGauges(services);
    }

    internal HostServices Services { get; }

    internal SandboxWorkflows Workflows { get; }

    internal SandboxAccess Access { get; }

    internal ProcessRuns Runs { get; }

    internal SandboxProcesses Processes { get; }

    internal ProcessLogs Logs { get; }

    internal ToolCalls Tools { get; }

    internal Reports Reports { get; }

    internal PoolView Pool { get; }

    internal Doctor Doctor { get; }

    internal HostGauges Gauges { get; }

    /// <summary>Completes when every sandbox the last daemon knew is settled and orphans are removed.</summary>
    public Task Recovered => recovery;

    /// <summary>Opens the state and starts what goes on in the background.</summary>
    /// <exception cref="Wire.Errors.VivariumException">The database is damaged, newer, or cannot be opened.</exception>
    public static async Task<VivariumHost> OpenAsync(VivariumConfig config, HostPaths paths, SupervisorPrograms programs, TimeProvider time, ILoggerFactory loggers)
    {
        var database = StateDatabase.Open(paths.Database, loggers.CreateLogger<StateDatabase>());
        try
        {
            var health = new HealthConditions(time);
            var metrics = new HostMetrics(time);
            var catalog = new SandboxCatalog();
            var snapshots = new SnapshotCatalog(catalog);
            var events = new EventLog(database, time);
            var leftovers = new Leftovers(health, time, loggers.CreateLogger<Leftovers>());
            var pool = new VolumePool(
                token => PoolOpening.OpenAsync(config, paths, loggers, leftovers, token),
                health,
                found => events.Publish("pool." + PoolView.Word(found.State), message: found.Message),
                loggers.CreateLogger<VolumePool>());
            var services = new HostServices(
                config,
                paths,
                time,
                new SandboxTable(database, time),
                catalog,
                new SnapshotTable(database),
                snapshots,
                events,
                new Alarms(time),
                health,
                new OperationRegistry(time, loggers.CreateLogger<OperationRegistry>()) { Ended = metrics.OperationEnded },
                pool,
                new TemplateSource(config, paths, pool, catalog, snapshots, time),
                new EngineCatalog(config, paths, programs, health, time, loggers.CreateLogger<EngineCatalog>()),
                new SupervisorLauncher(paths, programs, time, loggers.CreateLogger<SupervisorLauncher>()),
                new SupervisorRemains(paths, time, loggers.CreateLogger<SupervisorRemains>()),
                loggers,
                metrics,
                new SandboxNetworks(config, health, time, loggers.CreateLogger<SandboxNetworks>()),
                leftovers);
            var host = new VivariumHost(services, database);
            await host.RecoverAsync().ConfigureAwait(false);
            return host;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Ends the daemon's part: operations are cancelled, state is written. Sandboxes go on.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        Processes.Stop();
        try
        {
            await Services.Operations.StopAsync(cancellationToken).ConfigureAwait(false);
            await recovery.WaitAsync(cancellationToken).ConfigureAwait(false);
            await Workflows.Warm.StopAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
            await Workflows.Destroy.FinishedAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // What could not be undone in time is found by the next start.
            LogStoppedEarly();
        }
    }

    /// <summary>Takes the pool off its mount point; only for a daemon that is about to stop.</summary>
    /// <exception cref="VivariumException">failed_precondition <c>pool_busy</c>: a sandbox uses it.</exception>
    internal async Task UnmountPoolAsync(CancellationToken cancellationToken)
    {
        await recovery.WaitAsync(cancellationToken).ConfigureAwait(false);
        var busy = Services.Catalog.All().Where(s => s.Link is not null).Select(s => s.Record.Name).ToArray();
        if (busy.Length > 0)
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"unmounting the pool: {busy.Length} sandbox{(busy.Length == 1 ? " runs" : "es run")} on it, among them {busy[0]}",
                "Stop them first: viv stop NAME, or remove all with viv rm -fa.",
                "pool_busy");
        }

        await Workflows.Warm.StopAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        await Workflows.Destroy.FinishedAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        var store = await Services.Pool.GetAsync(cancellationToken).ConfigureAwait(false);
        await store.UnmountAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Services.Alarms.DisposeAsync().ConfigureAwait(false);
        await Services.Leftovers.DisposeAsync().ConfigureAwait(false);
        await Workflows.Warm.DisposeAsync().ConfigureAwait(false);
        foreach (var sandbox in Services.Catalog.All())
        {
            if (sandbox.Link is { } link)
            {
                await sandbox.DetachAsync(link).ConfigureAwait(false);
            }
        }

        await Services.Networks.DisposeAsync().ConfigureAwait(false);
        Services.Events.Publish("daemon.stopped");
        Services.Events.Close();
        Services.Metrics.Dispose();
        await Services.Pool.DisposeAsync().ConfigureAwait(false);
        database.Dispose();
        stopping.Dispose();
    }

    private async Task RecoverAsync()
    {
        var loaded = await Services.Table.LoadAsync().ConfigureAwait(false);
        Access.Quarantined = loaded.Quarantined;
        if (loaded.Quarantined.Count > 0)
        {
            LogQuarantined(loaded.Quarantined.Count, loaded.Quarantined[0].Id, loaded.Quarantined[0].Error);
            Services.Health.Set(
                "quarantine",
                HealthConditions.Degraded,
                $"{loaded.Quarantined.Count} sandboxes have unreadable records and are set aside ({string.Join(", ", loaded.Quarantined.Take(5).Select(static q => q.Id))}); remove each with viv rm ID");
        }

        var (known, unreadable) = Services.SnapshotTable.Load();
        Services.Snapshots.Load(known, unreadable);
        if (unreadable.Count > 0)
        {
            Services.Health.Set("snapshots", HealthConditions.Degraded, $"{unreadable.Count} snapshots have unreadable records; their data is left alone ({string.Join(", ", unreadable.Take(5))})");
        }

        var open = loaded.Records.Count(static r => !SandboxStates.HasEnded(r.State));
        if (open > 0)
        {
            Services.Health.Set(
                Recovery, HealthConditions.Degraded, $"the daemon has just started and is finding out what became of {open} sandboxes; calls about one of them wait for it");
        }

        foreach (var set in loaded.Quarantined)
        {
            if (SandboxId.TryParse(set.Id, out var id))
            {
                Services.Networks.Hold(id, Services.Paths.Supervisor(id));
            }
        }

        Services.Networks.Restore(loaded.Records);
        Workflows.Warm.Expect();
        var reattach = new Reattach(Services, Workflows);
        var entrance = new SemaphoreSlim(ReattachedAtOnce);
        var settling = new List<Task>();
        foreach (var record in loaded.Records)
        {
            var sandbox = Workflows.Make(record);
            Services.Catalog.Restore(sandbox);
            var settled = Task.Run(async () =>
            {
                await entrance.WaitAsync(stopping.Token).ConfigureAwait(false);
                try
                {
                    await reattach.RunAsync(sandbox).ConfigureAwait(false);
                }
                finally
                {
                    entrance.Release();
                }
            });
            sandbox.SettleBy(settled);
            settling.Add(settled);
        }

        Services.Events.Subscribe(null, Services.Metrics.Happened);
        Services.Engines.Warm();
        Services.Events.Publish("daemon.started");
        recovery = Task.Run(() => FinishRecoveryAsync(settling, loaded.Quarantined));
    }

    private async Task FinishRecoveryAsync(List<Task> settling, IReadOnlyList<QuarantinedSandbox> quarantined)
    {
        try
        {
            await Task.WhenAll(settling).ConfigureAwait(false);
            LogSettled(settling.Count);
            await Workflows.Warm.TakeOverAsync().ConfigureAwait(false);
            await Processes.RecoverAsync(stopping.Token).ConfigureAwait(false);
            await new ReclaimOrphans(Services, Workflows, quarantined).RunAsync(stopping.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The next start goes on.
        }
        catch (Exception e)
        {
            LogRecoveryFailed(e);
        }
        finally
        {
            Services.Health.Clear(Recovery);
        }

        Workflows.Warm.Start();
    }

    [LoggerMessage(EventId = 1001, Level = LogLevel.Information, Message = "{Count} sandboxes settled")]
    private partial void LogSettled(int count);

    [LoggerMessage(EventId = 1011, Level = LogLevel.Error, Message = "reclaiming what the last daemon left failed; the next start tries again")]
    private partial void LogRecoveryFailed(Exception exception);

    [LoggerMessage(EventId = 1012, Level = LogLevel.Error, Message = "{Count} sandbox records are unreadable and set aside, the first is {Id}: {Error}")]
    private partial void LogQuarantined(int count, string id, string error);

    [LoggerMessage(EventId = 1013, Level = LogLevel.Warning, Message = "stopping before everything was undone; the next start goes on")]
    private partial void LogStoppedEarly();
}
