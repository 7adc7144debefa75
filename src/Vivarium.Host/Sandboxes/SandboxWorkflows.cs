using Microsoft.Extensions.Logging;

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
        Pause = new PauseSandbox(host);
        Ports = new SandboxPublishing(host);
    }

    public StartSandbox Start { get; }

    public EndSandbox End { get; }

    public DestroySandbox Destroy { get; }

    public CreateSandbox Create { get; }

    public StopSandbox Stop { get; }

    public PauseSandbox Pause { get; }

    public SandboxPublishing Ports { get; }

    /// <summary>A sandbox with its actor running.</summary>
    public Sandbox Make(SandboxRecord record) => new(record, DestroyAsync, CollectAsync, logger);

    public Task DestroyAsync(Sandbox sandbox, DestroyMode mode) => host.Metrics.DestroyAsync(() => Destroy.RunAsync(sandbox, mode));

    public Task CollectAsync(Sandbox sandbox, CancellationToken cancellationToken) => End.CollectAsync(sandbox, cancellationToken);

    /// <summary>The services behind.</summary>
    public HostServices Host => host;
}
