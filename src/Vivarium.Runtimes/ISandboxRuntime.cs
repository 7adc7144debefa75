using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes;

/// <summary>
/// The seam: one instance is one sandbox on one engine. Implemented by every engine and exercised by one conformance suite.
/// </summary>
/// <remarks>
/// Errors (<see cref="Wire.Errors.VivariumException"/>): start when started, or anything else before start → failed_precondition; missing state directory, or only
/// one of cpu and memory given → invalid_argument; a failed start leaves nothing behind; an option the engine cannot honour is refused by
/// name; a call the engine cannot do → unimplemented. No lock is held across a handshake. The engine's exit is watched from its first instant.
/// </remarks>
public interface ISandboxRuntime : IAsyncDisposable
{
    /// <summary>What this engine can do here.</summary>
    RuntimeCapabilities Capabilities { get; }

    /// <summary>Completes once, when the sandbox has ended for whatever reason and the engine's own state is released.</summary>
    Task<RuntimeExit> Exited { get; }

    /// <summary>Pid of the sandbox's init on the host, 0 before start and where there is none.</summary>
    int EnginePid { get; }

    /// <summary>Starts the engine and returns when the guest connection stands (the guest has not been configured yet).</summary>
    Task StartAsync(RuntimeStartOptions options, CancellationToken cancellationToken);

    /// <summary>Ends the sandbox; returns when <see cref="Exited"/> has completed. Forced may be called at any time, also during start and a graceful stop, and wins.</summary>
    Task StopAsync(StopMode mode, TimeSpan deadline, CancellationToken cancellationToken);

    /// <summary>Opens a byte stream to a guest port; half-close with <see cref="Transport.DuplexStream.CompleteWritesAsync"/>.</summary>
    ValueTask<Transport.DuplexStream> ConnectAsync(int port, CancellationToken cancellationToken);

    /// <summary>Asks the guest agent whether it lives; returns the round trip. Answered before anything else the agent does.</summary>
    ValueTask<TimeSpan> PingAsync(CancellationToken cancellationToken);

    /// <summary>Opens a named stream: the handshake of guest port 1026.</summary>
    ValueTask<Transport.DuplexStream> StartStreamAsync(string id, CancellationToken cancellationToken);

    /// <summary>Freezes every process.</summary>
    Task PauseAsync(CancellationToken cancellationToken);

    /// <summary>Thaws.</summary>
    Task ResumeAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Saves processes and memory into an existing directory, durably. When this returns everything stands still, with what was written to the volume written out, until
    /// <see cref="ResumeAsync"/> or a stop; when it throws, the sandbox goes on as before. Also of a paused sandbox.
    /// </summary>
    /// <exception cref="Wire.Errors.VivariumException">unimplemented <c>memory_snapshots_not_available</c>; failed_precondition <c>memory_not_saved</c>, saying what cannot be saved.</exception>
    Task CheckpointAsync(string directory, CancellationToken cancellationToken);

    /// <summary>
    /// Instead of <see cref="StartAsync"/>: brings back the processes and memory a directory holds, over a volume that is as it was then. The guest knows that its
    /// connection is new, and still has the token it was saved with; whoever calls says hello with that one and sends <c>resumed</c>.
    /// </summary>
    Task RestoreAsync(RuntimeStartOptions options, string directory, CancellationToken cancellationToken);

    /// <summary>Usage measured on the host.</summary>
    Task<SandboxUsage> StatsAsync(CancellationToken cancellationToken);
}

/// <summary>How to stop.</summary>
public enum StopMode
{
    /// <summary>Ask the guest, then escalate.</summary>
    Graceful,

    /// <summary>Kill now.</summary>
    Forced,
}

/// <summary>How a sandbox ended.</summary>
/// <param name="Reason">Stable word: <c>requested, forced, guest_exited, engine_died, oom, start_failed</c>.</param>
/// <param name="Message">A sentence.</param>
/// <param name="ExitCode">Exit code of the init, where known.</param>
public sealed record RuntimeExit(string Reason, string Message, int? ExitCode);

/// <summary>What to start. Lists hold what the design's seam names; an engine refuses by name what it cannot honour.</summary>
public sealed record RuntimeStartOptions
{
    /// <summary>The supervisor's specification: root, limits, shares, network, engine.</summary>
    public required SupervisorSpec Spec { get; init; }

    /// <summary>Existing directory (0700) for the engine's own files.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Per-boot token the guest must prove, 32 hex digits.</summary>
    public required string Token { get; init; }

    /// <summary>Takes the guest's and engine's diagnostic output, bytes as they come.</summary>
    public required Stream Console { get; init; }

    /// <summary>Block devices (virtual machines).</summary>
    public IReadOnlyList<DiskOption>? Disks { get; init; }

    /// <summary>Network interfaces (virtual machines).</summary>
    public IReadOnlyList<NicOption>? Nics { get; init; }

    /// <summary>Extra arguments for the guest's init.</summary>
    public IReadOnlyList<string>? InitArguments { get; init; }
}

/// <summary>A disk for a virtual machine.</summary>
public sealed record DiskOption(string BlockId, string MountPath, bool ReadOnly, bool Vmdk);

/// <summary>A network interface for a virtual machine; mode <c>unixgram, unixstream, tap</c>.</summary>
public sealed record NicOption(string Endpoint, string Mac, string Mode);
