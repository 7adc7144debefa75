using Vivarium.Guest.Exec;
using Vivarium.Guest.Processes;
using Vivarium.Transport;
using Vivarium.Transport.Yamux;

namespace Vivarium.Guest;

/// <summary>What every port handler may need: the sandbox's settings, its users and its processes.</summary>
internal sealed class GuestContext
{
    /// <summary>Whether the agent is PID 1 of its own sandbox. False for the <c>direct</c> runtime, where the machine is not ours: nothing of it is changed.</summary>
    public required bool IsInit { get; init; }

    /// <summary>Directory of the agent's own files, on tmpfs, 0755: <c>/run/vivarium</c>, or one of its own for <c>direct</c>.</summary>
    public required string RunDirectory { get; init; }

    /// <summary>Random id of this boot, 32 hex digits; changes with every start and every restore.</summary>
    public required string BootId { get; set; }

    /// <summary>The connection to the host; another one after a restore.</summary>
    public YamuxSession? Connection { get; set; }

    /// <summary>Settings made by <c>configure</c>; replaced as a whole.</summary>
    public GuestSettings Settings { get; set; } = new();

    /// <summary>Users and groups of the sandbox.</summary>
    public UserLookup Users { get; } = new("/");

    /// <summary>Processes the agent started.</summary>
    public ProcessTable Processes { get; } = new();

    /// <summary>Out-of-memory kills.</summary>
    public OomWatch Oom { get; } = new();

    /// <summary>Gives memory back when nothing has happened for a while.</summary>
    public IdleTrim Idle { get; } = new(BlockPool.Trim);

    /// <summary>Timestamp of <see cref="TimeProvider"/> when the agent started.</summary>
    public long StartTimestamp { get; } = TimeProvider.System.GetTimestamp();
}

/// <summary>What <c>configure</c> set.</summary>
internal sealed record GuestSettings
{
    /// <summary>Environment every process gets unless its request overrides it.</summary>
    public IReadOnlyDictionary<string, string> Env { get; init; } = new Dictionary<string, string>();

    /// <summary>User of processes whose request names none.</summary>
    public string DefaultUser { get; init; } = "root";

    /// <summary>Directory of processes whose request names none; null = the user's home.</summary>
    public string? DefaultCwd { get; init; }
}
