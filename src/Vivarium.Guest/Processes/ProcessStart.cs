using Vivarium.Guest.Io;

namespace Vivarium.Guest.Processes;

/// <summary>What was decided and opened for a process before it became one.</summary>
internal sealed record ProcessStart
{
    /// <summary>The caller's name for it.</summary>
    public string? Tag { get; init; }

    /// <summary>Command line.</summary>
    public required IReadOnlyList<string> Argv { get; init; }

    /// <summary>User name, or the number of one without a name.</summary>
    public required string User { get; init; }

    /// <summary>Working directory.</summary>
    public required string Cwd { get; init; }

    /// <summary>See <see cref="ProcessMark"/>.</summary>
    public required uint Mark { get; init; }

    /// <summary>Milliseconds since the Unix epoch.</summary>
    public required long StartedUnixMs { get; init; }

    /// <summary>After which the tree is killed.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Output.</summary>
    public required OutputLog Output { get; init; }

    /// <summary>What fills the output.</summary>
    public required IReadOnlyList<OutputPump> Pumps { get; init; }

    /// <summary>Input.</summary>
    public StdinQueue? Input { get; init; }

    /// <summary>Master side of its terminal.</summary>
    public PolledFd? Terminal { get; init; }

    /// <summary>What its terminal lacks under gVisor; null elsewhere.</summary>
    public GvisorTerminal? GvisorTerminal { get; init; }

    /// <summary>Count of out-of-memory kills when it started.</summary>
    public long OomCountAtStart { get; init; }
}
