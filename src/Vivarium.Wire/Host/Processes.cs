using Vivarium.Wire.Guest;

namespace Vivarium.Wire.Host;

/// <summary>Parameters of <c>process.exec</c>.</summary>
public sealed record RunParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>What to run; <c>attach</c> and <c>tty</c> are refused here.</summary>
    public required ExecRequest Request { get; init; }

    /// <summary>Standard input, base64.</summary>
    public string? Stdin { get; init; }

    /// <summary>Most bytes kept of each stream; the middle is cut beyond. Default 1 MiB, at most 10 MiB.</summary>
    public int? MaxOutputBytes { get; init; }
}

/// <summary>Answer to <c>process.exec</c>.</summary>
public sealed record RunReply
{
    /// <summary>Process id inside the sandbox.</summary>
    public required int Pid { get; init; }

    /// <summary>How it ended.</summary>
    public required ExecControl Exit { get; init; }

    /// <summary>Standard output, base64.</summary>
    public required string Stdout { get; init; }

    /// <summary>Standard error, base64.</summary>
    public required string Stderr { get; init; }

    /// <summary>Bytes cut out of the middle of standard output.</summary>
    public long StdoutCut { get; init; }

    /// <summary>Bytes cut out of the middle of standard error.</summary>
    public long StderrCut { get; init; }
}

/// <summary>Parameters of <c>process.launch</c>: a binary with what belongs to it, or a request as for exec.</summary>
public sealed record LaunchProcessParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>What to run; instead of the members below.</summary>
    public ExecRequest? Request { get; init; }

    /// <summary>Program, looked up in the sandbox's PATH.</summary>
    public string? Binary { get; init; }

    /// <summary>Its arguments.</summary>
    public IReadOnlyList<string>? Args { get; init; }

    /// <summary>Added to the sandbox's environment.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Working directory, absolute.</summary>
    public string? Cwd { get; init; }

    /// <summary>Run as this user.</summary>
    public string? User { get; init; }

    /// <summary>TCP port the process will listen on: published on the host for as long as it runs. 1 to 65535; 0 or absent: none.</summary>
    public int? ExposedPort { get; init; }
}

/// <summary>Statuses of a process.</summary>
public static class ProcessStatus
{
#pragma warning disable CS1591
    public const string Starting = "starting";
    public const string Running = "running";
    public const string Exited = "exited";
#pragma warning restore CS1591
}

/// <summary>A process that viv or the API started in a sandbox.</summary>
public sealed record ProcessInfo
{
    /// <summary><c>proc-</c> and 20 characters of [a-z0-9], for those started by <c>process.launch</c>; good until it is pruned, also when the sandbox has ended.</summary>
    public string? Id { get; init; }

    /// <summary>Process id inside the sandbox; 0 when it could not be started.</summary>
    public required int Pid { get; init; }

    /// <summary>The caller's tag.</summary>
    public string? Tag { get; init; }

    /// <summary>Command line.</summary>
    public required IReadOnlyList<string> Argv { get; init; }

    /// <summary>User name.</summary>
    public string? User { get; init; }

    /// <summary>Working directory it started in.</summary>
    public string? Cwd { get; init; }

    /// <summary>Whether it has a terminal.</summary>
    public bool Tty { get; init; }

    /// <summary>One of <see cref="ProcessStatus"/>.</summary>
    public required string Status { get; init; }

    /// <summary>Start, milliseconds since the Unix epoch.</summary>
    public required long StartedUnixMs { get; init; }

    /// <summary>End, where it is known.</summary>
    public long? EndedUnixMs { get; init; }

    /// <summary>How it ended: exit code or signal. Absent when it never ran, or ended with its sandbox.</summary>
    public ExecControl? Exit { get; init; }

    /// <summary>Processes in its tree, itself included.</summary>
    public int TreeSize { get; init; }

    /// <summary>Connections attached to it.</summary>
    public int Attached { get; init; }

    /// <summary>Port it was launched to listen on.</summary>
    public int? ExposedPort { get; init; }

    /// <summary>Where that port is reached, <c>address:port</c>, while it runs.</summary>
    public string? Address { get; init; }

    /// <summary>Why it could not be started, or that its sandbox ended or was rolled back under it.</summary>
    public Errors.ErrorInfo? Error { get; init; }
}

/// <summary>Answer to <c>process.list</c>: the running first.</summary>
public sealed record ProcessList
{
    /// <summary>The processes.</summary>
    public required IReadOnlyList<ProcessInfo> Processes { get; init; }
}

/// <summary>Parameters of <c>process.status</c> and <c>process.wait</c>.</summary>
public sealed record ProcessParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>Id of a launched process.</summary>
    public required string Id { get; init; }

    /// <summary><c>process.wait</c>: answer after this many milliseconds also when it still runs (0 to 600 000); absent: wait for its end.</summary>
    public int? WaitMs { get; init; }
}

/// <summary>Parameters of <c>process.kill</c> and <c>process.signal</c>.</summary>
public sealed record KillParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>Id of a launched process; one that has ended is fine.</summary>
    public string? Id { get; init; }

    /// <summary>Process id, or 0 with a tag or an id.</summary>
    public int Pid { get; init; }

    /// <summary>Tag.</summary>
    public string? Tag { get; init; }

    /// <summary>Signal number; default 15.</summary>
    public int? Signal { get; init; }

    /// <summary>The whole tree, or only the process; default of <c>process.kill</c> the tree, of <c>process.signal</c> the process.</summary>
    public bool? Tree { get; init; }
}

/// <summary>Parameters of <c>process.logs</c>.</summary>
public sealed record LogsParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>Process id; absent, without an id: the console log.</summary>
    public int? Pid { get; init; }

    /// <summary>Id of a launched process.</summary>
    public string? Id { get; init; }

    /// <summary>First byte wanted, counted over the whole life of the log (rotation included); negative: so many bytes before the end.</summary>
    public long? Offset { get; init; }

    /// <summary>At most so many bytes; default and maximum 1 MiB.</summary>
    public int? Limit { get; init; }

    /// <summary>Wait up to this many milliseconds for something new (0 to 30 000).</summary>
    public int? WaitMs { get; init; }
}

/// <summary>Answer to <c>process.logs</c>.</summary>
public sealed record LogsReply
{
    /// <summary>Content, base64.</summary>
    public required string Data { get; init; }

    /// <summary>Where to go on.</summary>
    public required long NextOffset { get; init; }

    /// <summary>Whether the log has ended (process or sandbox over, and all of it read).</summary>
    public bool Ended { get; init; }
}
