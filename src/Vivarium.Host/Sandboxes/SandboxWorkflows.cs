using Microsoft.Extensions.Logging;
using Vivarium.Host.Snapshots;
using Vivarium.Host.Warm;

namespace Vivarium.Host.Sandboxes;

/// <summary>What a sandbox's actor starts by itself: its end when the supervisor is over, and its destruction.</summary>
internal sealed class SandboxWorkflows
{
    private readonly HostServices host;
    private readonly ILogger<Sandbox> logger;

    public SandboxWorkflows(HostServices host)
    {
        this.host = host;
        logger = host.Loggers.CreateLogger<Sandbox>();
        Start = new StartSandbox(host);
        End = new EndSandbox(host);
        Destroy = new DestroySandbox(host);
        Create = new CreateSandbox(host, this);
        Stop = new StopSandbox(host, Start, End);
        Ports = new SandboxPublishing(host);
        Save = new SaveSandbox(host, Start, End);
        Pause = new PauseSandbox(host, Stop, Save);
        var store = new SnapshotStore(host);
        Snapshot = new TakeSnapshot(host, store);
        Snapshots = new KeepSnapshots(host, store);
        Compare = new CompareSnapshots(host, store, Snapshot);
        RollBack = new RollBackSandbox(host, store, Start, End);
        Fork = new ForkSandbox(host, store, Snapshot, this);
        Warm = new WarmPool(host, this);
        Set = new SetSandbox(host);
        SetNetwork = new SetSandboxNetwork(host);
    }

    public StartSandbox Start { get; }

    public EndSandbox End { get; }

    public DestroySandbox Destroy { get; }

    public CreateSandbox Create { get; }

    public StopSandbox Stop { get; }

    public SaveSandbox Save { get; }

    public PauseSandbox Pause { get; }

    public SandboxPublishing Ports { get; }

    public TakeSnapshot Snapshot { get; }

    public KeepSnapshots Snapshots { get; }

    public CompareSnapshots Compare { get; }

    public RollBackSandbox RollBack { get; }

    public ForkSandbox Fork { get; }

    /// <summary>Sandboxes ready ahead of need.</summary>
    public WarmPool Warm { get; }

    public SetSandbox Set { get; }

    public SetSandboxNetwork SetNetwork { get; }

    /// <summary>A sandbox with its actor running.</summary>
    public Sandbox Make(SandboxRecord record) => new(record, DestroyAsync, CollectAsync, logger);

    public async Task DestroyAsync(Sandbox sandbox, DestroyMode mode)
    {
        try
        {
            await host.Metrics.DestroyAsync(() => Destroy.RunAsync(sandbox, mode)).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // Wanted once is wanted until it is done: whoever asked hears why not, and need not ask again.
            DestroyLater(sandbox, e);
            throw;
        }
    }

    /// <summary>Goes on trying to destroy a sandbox that could not be: it stays listed until then. Destroying it by hand meanwhile is the same.</summary>
    public void DestroyLater(Sandbox sandbox, Exception why) =>
        host.Leftovers.Add("sandbox", sandbox.Record.Name, why, () => sandbox.DestroyAsync(DestroyMode.Now));

    public Task CollectAsync(Sandbox sandbox, CancellationToken cancellationToken) => End.CollectAsync(sandbox, cancellationToken);

    /// <summary>The services behind.</summary>
    public HostServices Host => host;
}
