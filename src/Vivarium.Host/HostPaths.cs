using Vivarium.Configuration;
using Vivarium.Host.Naming;

namespace Vivarium.Host;

/// <summary>Where the daemon keeps things; the only place that knows the layout.</summary>
/// <param name="State">What survives a reboot.</param>
/// <param name="Runtime">What dies with the machine.</param>
public sealed record HostPaths(string State, string Runtime)
{
    /// <summary>From the configuration.</summary>
    public static HostPaths Of(VivariumConfig config) => new(config.Paths.State, config.Paths.Runtime);

    public string Database => Path.Combine(State, "vivarium.db");

    public string Pool => Path.Combine(State, "pool");

    public string Sandboxes => Path.Combine(State, "sandboxes");

    public string DaemonLogs => Path.Combine(State, "logs");

    public string Socket => Path.Combine(Runtime, "vivd.sock");

    public string PidFile => Path.Combine(Runtime, "vivd.pid");

    /// <summary>Held (flock) for the life of the daemon: two daemons never share a state directory.</summary>
    public string StateLock => Path.Combine(State, "vivd.lock");

    /// <summary>Held (flock) for the life of the daemon: two daemons never share a runtime directory.</summary>
    public string RuntimeLock => Path.Combine(Runtime, "vivd.lock");

    /// <summary>What a sandbox keeps besides its volume: its logs.</summary>
    public string SandboxState(SandboxId id) => Path.Combine(Sandboxes, id.Value);

    /// <summary>Books of launched processes: apart from what is removed in the background, so that a late write meets nothing.</summary>
    public string Processes => Path.Combine(State, "processes");

    /// <summary>The book of one sandbox.</summary>
    public string ProcessBook(SandboxId id) => Path.Combine(Processes, id.Value + ".json");

    public string SandboxLogs(SandboxId id) => Path.Combine(Sandboxes, id.Value, "logs");

    public SupervisorFiles Supervisor(SandboxId id) => new(Path.Combine(Runtime, id.Value));
}

/// <summary>Files of one supervisor in its runtime directory.</summary>
/// <param name="Directory">The directory, <c>&lt;runtime&gt;/&lt;sandbox id&gt;</c>.</param>
public sealed record SupervisorFiles(string Directory)
{
    public string Spec => Path.Combine(Directory, "supervisor.json");

    public string Socket => Path.Combine(Directory, "supervisor.sock");

    /// <summary>Locked (flock) as long as the supervisor lives.</summary>
    public string Lock => Path.Combine(Directory, "supervisor.lock");

    /// <summary>Its last word.</summary>
    public string Exit => Path.Combine(Directory, "exit.json");
}
