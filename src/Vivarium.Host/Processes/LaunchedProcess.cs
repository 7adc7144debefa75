using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Processes;

/// <summary>What is kept of a launched process, in memory and in the file of its sandbox. Its environment is not: it may hold secrets.</summary>
internal sealed record LaunchedProcess
{
    /// <summary>Length of an id: <c>proc-</c> and what follows.</summary>
    public const int IdLength = 25;

    public required string Id { get; init; }

    /// <summary>Process id inside the sandbox; 0 while it starts and when it could not be started.</summary>
    public int Pid { get; init; }

    /// <summary>Boot of the guest it runs in: after another boot the pid is somebody else's.</summary>
    public string? BootId { get; init; }

    /// <summary>The caller's tag; without one its id is its tag in the guest.</summary>
    public string? Tag { get; init; }

    public required IReadOnlyList<string> Argv { get; init; }

    public string? User { get; init; }

    public string? Cwd { get; init; }

    public bool Tty { get; init; }

    /// <summary>One of <see cref="ProcessStatus"/>.</summary>
    public required string Status { get; init; }

    public required long StartedUnixMs { get; init; }

    public long? EndedUnixMs { get; init; }

    public ExecControl? Exit { get; init; }

    public ErrorInfo? Error { get; init; }

    public int? ExposedPort { get; init; }

    /// <summary>Where its port is published; taken back when it has ended.</summary>
    public PublishedPort? Published { get; init; }

    /// <summary>It was published for this process, so its end takes it back.</summary>
    public bool OwnsPort { get; init; }

    public bool HasEnded => Status == ProcessStatus.Exited;

    /// <summary>A fresh id.</summary>
    public static string NewId() => "proc-" + Naming.RandomText.Next(IdLength - 5);

    /// <summary>As the API shows it; what only the guest knows comes from there.</summary>
    public ProcessInfo Describe(GuestProcess? inside) => new()
    {
        Id = Id,
        Pid = Pid,
        Tag = Tag,
        Argv = Argv,
        User = inside?.User ?? User,
        Cwd = inside?.Cwd ?? Cwd,
        Tty = Tty,
        Status = Status,
        StartedUnixMs = StartedUnixMs,
        EndedUnixMs = EndedUnixMs,
        Exit = Exit,
        TreeSize = inside?.TreeSize ?? 0,
        Attached = inside?.Attached ?? 0,
        ExposedPort = ExposedPort,
        Address = HasEnded || Published is null ? null : Published.HostAddress.Contains(':', StringComparison.Ordinal) ? $"[{Published.HostAddress}]:{Published.HostPort}" : $"{Published.HostAddress}:{Published.HostPort}",
        Error = Error,
    };
}
