using System.Text.Json.Serialization;

namespace Vivarium.Wire.Guest;

/// <summary>
/// First line on the exec port: what to run, or (with <see cref="Attach"/>) which running process to join.
/// The guest answers with one line, <see cref="ExecReply"/>, then frames follow both ways: u8 channel, u32 big-endian
/// length, bytes (<see cref="ExecChannel"/>).
/// </summary>
public sealed record ExecRequest
{
    /// <summary>Longest first line, in bytes.</summary>
    public const int MaxLineBytes = 4 * 1024 * 1024;

    /// <summary>Longest frame payload a peer may send, in bytes.</summary>
    public const int MaxFrameBytes = 1024 * 1024;

    /// <summary>Program and arguments; the program is looked up in the PATH of the new process. Empty: the user's login shell.</summary>
    public IReadOnlyList<string> Argv { get; init; } = [];

    /// <summary>Working directory; must exist.</summary>
    public string? Cwd { get; init; }

    /// <summary>Added to (and overriding) the sandbox's environment.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary><c>name</c>, <c>uid</c>, <c>name:group</c> or <c>uid:gid</c>.</summary>
    public string? User { get; init; }

    /// <summary>Run on a new terminal.</summary>
    public TtySize? Tty { get; init; }

    /// <summary>Whether the caller will send input; otherwise standard input is /dev/null.</summary>
    public bool Stdin { get; init; }

    /// <summary>Kill the whole tree after this many milliseconds.</summary>
    public long? TimeoutMs { get; init; }

    /// <summary>A name the caller can find the process by.</summary>
    public string? Tag { get; init; }

    /// <summary>Limits for this process tree.</summary>
    public ExecLimits? Limits { get; init; }

    /// <summary>Join an existing process instead of starting one.</summary>
    public ExecAttach? Attach { get; init; }

    /// <summary>
    /// What happens to the process when this connection ends before it does: <c>false</c> (default) it goes on and may be
    /// attached to; <c>true</c> its tree gets SIGHUP, then SIGKILL after 2 s.
    /// </summary>
    public bool KillOnDisconnect { get; init; }
}

/// <summary>Terminal of a process.</summary>
public sealed record TtySize
{
    /// <summary>Columns, 1 to 65535.</summary>
    public required int Cols { get; init; }

    /// <summary>Rows, 1 to 65535.</summary>
    public required int Rows { get; init; }

    /// <summary>Value of TERM; default <c>xterm-256color</c>.</summary>
    public string? Term { get; init; }
}

/// <summary>Limits of one process tree (resource limits, as of setrlimit(2)).</summary>
public sealed record ExecLimits
{
    /// <summary>Open files (RLIMIT_NOFILE).</summary>
    public long? Files { get; init; }

    /// <summary>CPU seconds (RLIMIT_CPU).</summary>
    public long? CpuSeconds { get; init; }

    /// <summary>Address space in bytes (RLIMIT_AS).</summary>
    public long? AddressSpaceBytes { get; init; }

    /// <summary>Largest file in bytes (RLIMIT_FSIZE).</summary>
    public long? FileSizeBytes { get; init; }
}

/// <summary>Which process to join, and from where in its output.</summary>
public sealed record ExecAttach
{
    /// <summary>Process id.</summary>
    public int? Pid { get; init; }

    /// <summary>Or its tag.</summary>
    public string? Tag { get; init; }

    /// <summary>Start of the replay: bytes of output since the process began; absent = the oldest the ring still has, -1 = only what is new.</summary>
    public long? Offset { get; init; }

    /// <summary>Only look: input frames are refused, and leaving changes nothing.</summary>
    public bool ReadOnly { get; init; }
}

/// <summary>Answer to the first line: a pid, or an error and the end of the connection.</summary>
public sealed record ExecReply
{
    /// <summary>Process id inside the sandbox.</summary>
    public int? Pid { get; init; }

    /// <summary>Output offset at which the replay starts (attach only).</summary>
    public long? Offset { get; init; }

    /// <summary>Bytes lost between the requested offset and <see cref="Offset"/> because the ring had wrapped.</summary>
    public long? Lost { get; init; }

    /// <summary>Why there is no process. Reasons: <c>command_not_found</c>, <c>not_executable</c>, <c>no_such_user</c>, <c>no_such_directory</c>, <c>no_such_process</c>.</summary>
    public Errors.ErrorInfo? Error { get; init; }
}

/// <summary>Channels of exec frames.</summary>
public static class ExecChannel
{
#pragma warning disable CS1591
    public const byte Stdin = 0;
    public const byte Stdout = 1;
    public const byte Stderr = 2;
    public const byte Pty = 3;
    public const byte Control = 4;
#pragma warning restore CS1591
}

/// <summary>A JSON message on the control channel.</summary>
public sealed record ExecControl
{
    /// <summary><c>resize, signal, close_stdin, exit, ping</c>.</summary>
    public required string Type { get; init; }

    /// <summary>resize: columns.</summary>
    public int? Cols { get; init; }

    /// <summary>resize: rows.</summary>
    public int? Rows { get; init; }

    /// <summary>signal: number to send to the process group of the command; exit: the signal that ended it.</summary>
    public int? Signal { get; init; }

    /// <summary>exit: exit code.</summary>
    public int? Code { get; init; }

    /// <summary>exit: ended by the out-of-memory killer.</summary>
    public bool? Oom { get; init; }

    /// <summary>exit: ended because <see cref="ExecRequest.TimeoutMs"/> ran out.</summary>
    [JsonPropertyName("timed_out")]
    public bool? TimedOut { get; init; }

    /// <summary>exit: wall time in milliseconds.</summary>
    public long? DurationMs { get; init; }

    /// <summary>exit: resources used by the process and its waited-for children.</summary>
    public ExecUsage? Rusage { get; init; }
}

/// <summary>Resources used.</summary>
public sealed record ExecUsage
{
    /// <summary>User CPU time, microseconds.</summary>
    public long UserUs { get; init; }

    /// <summary>System CPU time, microseconds.</summary>
    public long SystemUs { get; init; }

    /// <summary>Peak resident memory, bytes.</summary>
    public long MaxRssBytes { get; init; }
}
