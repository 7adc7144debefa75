namespace Vivarium.Linux.Processes;

/// <summary>What to start and how. Nothing is inherited that is not named here: no environment, no descriptor, no ignored signal.</summary>
public sealed record SpawnOptions
{
    /// <summary>Search path used when <see cref="Env"/> has no PATH.</summary>
    public const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>Program. With a slash: as is (relative to <see cref="Cwd"/>); without: looked up in the PATH of <see cref="Env"/>, as the new user.</summary>
    public required string FileName { get; init; }

    /// <summary>Arguments, <c>argv[0]</c> included.</summary>
    public required IReadOnlyList<string> Argv { get; init; }

    /// <summary>Environment, each <c>NAME=value</c>.</summary>
    public IReadOnlyList<string> Env { get; init; } = [];

    /// <summary>Working directory, entered as the new user; unchanged when null.</summary>
    public string? Cwd { get; init; }

    /// <summary>Descriptors of the child, at most 256. 0, 1 and 2 not mapped are /dev/null; everything else is closed.</summary>
    public IReadOnlyList<FdMapping> Fds { get; init; } = [];

    /// <summary>Leader of a new session and process group.</summary>
    public bool NewSession { get; init; }

    /// <summary>Descriptor 0 becomes the controlling terminal; needs <see cref="NewSession"/>.</summary>
    public bool ControllingTerminal { get; init; }

    /// <summary>User id (real, effective, saved).</summary>
    public uint? Uid { get; init; }

    /// <summary>Group id (real, effective, saved).</summary>
    public uint? Gid { get; init; }

    /// <summary>Supplementary groups; null leaves them, which with another <see cref="Uid"/> is hardly ever right.</summary>
    public IReadOnlyList<uint>? Groups { get; init; }

    /// <summary>Resource limits, set before the user changes.</summary>
    public IReadOnlyList<ResourceLimit>? Limits { get; init; }

    /// <summary>Cgroup directories the child joins before it runs anything.</summary>
    public IReadOnlyList<string>? CgroupDirectories { get; init; }

    /// <summary>Signal sent when this process ends; 0 for none. Such children are started from one thread that never ends, because the kernel ties this to the thread.</summary>
    public int ParentDeathSignal { get; init; }

    /// <summary>
    /// The calling thread lives until the program has ended, so the program is started from it, in its namespaces, even with a
    /// <see cref="ParentDeathSignal"/>; see <see cref="Namespaces.NamespaceThread.StartInNew"/>.
    /// </summary>
    public bool CallerStays { get; init; }

    /// <summary>-1000 (never killed for memory) to 1000.</summary>
    public int? OomScoreAdj { get; init; }

    /// <summary>Set-user-id programs and file capabilities give nothing to this child and its children.</summary>
    public bool NoNewPrivileges { get; init; }

    /// <summary>Capabilities that neither the program nor anything it ever starts can have, root or not.</summary>
    public IReadOnlyList<Capability>? DropCapabilities { get; init; }

    /// <summary>File mode creation mask.</summary>
    public int? Umask { get; init; }
}

/// <summary>Our descriptor <paramref name="Source"/> appears in the child as <paramref name="Target"/>.</summary>
public readonly record struct FdMapping(int Source, int Target);

/// <summary>A resource limit; <see cref="ulong.MaxValue"/> is unlimited. Source: getrlimit(2).</summary>
public readonly record struct ResourceLimit(LimitKind Kind, ulong Soft, ulong Hard);

/// <summary>Resources with a limit, numbered as in &lt;asm-generic/resource.h&gt;.</summary>
public enum LimitKind
{
    /// <summary>CPU time, seconds.</summary>
    Cpu = 0,

    /// <summary>File size, bytes.</summary>
    FileSize = 1,

    /// <summary>Data segment, bytes.</summary>
    Data = 2,

    /// <summary>Stack, bytes.</summary>
    Stack = 3,

    /// <summary>Core file, bytes.</summary>
    Core = 4,

    /// <summary>Processes of the user.</summary>
    Processes = 6,

    /// <summary>Open descriptors.</summary>
    OpenFiles = 7,

    /// <summary>Locked memory, bytes.</summary>
    LockedMemory = 8,

    /// <summary>Address space, bytes.</summary>
    AddressSpace = 9,
}
