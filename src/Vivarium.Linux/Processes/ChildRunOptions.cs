namespace Vivarium.Linux.Processes;

/// <summary>How <see cref="ChildRun"/> runs a program.</summary>
public sealed record ChildRunOptions
{
    /// <summary>Environment; default <c>PATH</c> and a UTF-8 <c>LANG</c> only.</summary>
    public IReadOnlyList<string> Env { get; init; } = [$"PATH={SpawnOptions.DefaultPath}", "LANG=C.UTF-8"];

    /// <summary>Working directory; default ours.</summary>
    public string? Cwd { get; init; }

    /// <summary>Bytes for its standard input; default none (/dev/null).</summary>
    public ReadOnlyMemory<byte> Input { get; init; }

    /// <summary>
    /// Without <see cref="Input"/>, standard input is a pipe that has ended rather than /dev/null: for container engines, which may give what they find there to the
    /// container's user, and the device is the whole machine's.
    /// </summary>
    public bool EndedPipeAsInput { get; init; }

    /// <summary>After this long its process group is killed.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Bytes kept of each of standard output and standard error; what comes after is read and dropped.</summary>
    public int MaxOutputBytes { get; init; } = 1024 * 1024;

    /// <summary>Cgroups it runs in.</summary>
    public IReadOnlyList<string>? CgroupDirectories { get; init; }

    /// <summary>Killed when this process ends, however that ends; see <see cref="SpawnOptions.ParentDeathSignal"/>.</summary>
    public bool DieWithParent { get; init; }

    /// <summary>Further descriptors (3 and up).</summary>
    public IReadOnlyList<FdMapping> Fds { get; init; } = [];

    /// <summary>Sees every piece of standard output and standard error as it comes (the second argument is 1 or 2); must not block for long.</summary>
    public Action<ReadOnlyMemory<byte>, int>? OnOutput { get; init; }
}
