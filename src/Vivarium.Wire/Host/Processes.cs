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

/// <summary>Parameters of <c>process.launch</c>.</summary>
public sealed record LaunchProcessParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>What to run.</summary>
    public required ExecRequest Request { get; init; }
}

/// <summary>Parameters of <c>process.kill</c>.</summary>
public sealed record KillParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>Process id, or 0 with a tag.</summary>
    public int Pid { get; init; }

    /// <summary>Tag.</summary>
    public string? Tag { get; init; }

    /// <summary>Signal number; default 15.</summary>
    public int? Signal { get; init; }

    /// <summary>The whole tree (default) or only the process.</summary>
    public bool? Tree { get; init; }
}

/// <summary>Parameters of <c>process.logs</c>.</summary>
public sealed record LogsParams
{
    /// <summary>The sandbox.</summary>
    public required string Ref { get; init; }

    /// <summary>Process id; absent: the console log.</summary>
    public int? Pid { get; init; }

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
