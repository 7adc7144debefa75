using Microsoft.Extensions.Logging;
using Vivarium.Configuration;
using Vivarium.Host.Engines;
using Vivarium.Host.Events;
using Vivarium.Host.Health;
using Vivarium.Host.Metrics;
using Vivarium.Host.Network;
using Vivarium.Host.Operations;
using Vivarium.Host.Pool;
using Vivarium.Host.Recovery;
using Vivarium.Host.Snapshots;
using Vivarium.Host.State;
using Vivarium.Host.Supervision;
using Vivarium.Host.Templates;
using Vivarium.Host.Timers;

namespace Vivarium.Host.Sandboxes;

/// <summary>What the workflows on sandboxes work with: the daemon's parts, put together once by the composition root.</summary>
internal sealed record HostServices(
    VivariumConfig Config,
    HostPaths Paths,
    TimeProvider Time,
    SandboxTable Table,
    SandboxCatalog Catalog,
    SnapshotTable SnapshotTable,
    SnapshotCatalog Snapshots,
    EventLog Events,
    Alarms Alarms,
    HealthConditions Health,
    OperationRegistry Operations,
    VolumePool Pool,
    ITemplateSource Templates,
    IEngineCatalog Engines,
    SupervisorLauncher Launcher,
    SupervisorRemains Remains,
    ILoggerFactory Loggers,
    HostMetrics Metrics,
    SandboxNetworks Networks,
    Leftovers Leftovers)
{
    /// <summary>Milliseconds since the Unix epoch.</summary>
    public long Now => Time.GetUtcNow().ToUnixTimeMilliseconds();
}
