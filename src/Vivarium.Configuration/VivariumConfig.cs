using Vivarium.Configuration.Sections;

namespace Vivarium.Configuration;

/// <summary>The configuration in force: validated, immutable. <see cref="ConfigLoader"/> makes it.</summary>
public sealed record VivariumConfig
{
    /// <summary><c>[paths]</c>.</summary>
    public PathsConfig Paths { get; init; } = new();

    /// <summary><c>[daemon]</c>.</summary>
    public DaemonConfig Daemon { get; init; } = new();

    /// <summary><c>[defaults]</c>.</summary>
    public DefaultsConfig Defaults { get; init; } = new();

    /// <summary><c>[limits]</c>.</summary>
    public LimitsConfig Limits { get; init; } = new();

    /// <summary><c>[tools]</c>.</summary>
    public ToolsConfig Tools { get; init; } = new();

    /// <summary><c>[processes]</c>.</summary>
    public ProcessesConfig Processes { get; init; } = new();

    /// <summary><c>[runtime]</c>.</summary>
    public RuntimeConfig Runtime { get; init; } = new();

    /// <summary><c>[pool]</c>.</summary>
    public PoolConfig Pool { get; init; } = new();

    /// <summary><c>[warm_pool]</c>.</summary>
    public WarmPoolConfig WarmPool { get; init; } = new();

    /// <summary><c>[logs]</c>.</summary>
    public LogsConfig Logs { get; init; } = new();

    /// <summary><c>[templates]</c>.</summary>
    public TemplatesConfig Templates { get; init; } = new();

    /// <summary><c>[http]</c>.</summary>
    public HttpConfig Http { get; init; } = new();

    /// <summary><c>[sessions]</c>.</summary>
    public SessionsConfig Sessions { get; init; } = new();

    /// <summary><c>[network]</c>.</summary>
    public NetworkConfig Network { get; init; } = new();

    /// <summary>Files read, in order; empty when there was none.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>Every key with its value and where that came from, in the order of the sections.</summary>
    public IReadOnlyList<ConfigSetting> Settings { get; init; } = [];
}
