using System.Text.Json;

namespace Vivarium.Wire.Host;

/// <summary>Parameters of <c>tool.call</c>.</summary>
public sealed record ToolParams
{
    /// <summary>The sandbox; it must run.</summary>
    public required string Ref { get; init; }

    /// <summary>Name of the tool, one of <c>tool.list</c>.</summary>
    public required string Name { get; init; }

    /// <summary>An object that fits the tool's schema; absent is <c>{}</c>.</summary>
    public JsonElement? Arguments { get; init; }

    /// <summary>
    /// Makes the call safe to repeat, 1 to 256 characters: the same id with the same arguments gives the first call's answer, also while that is still running. Forgotten
    /// by a rollback, and in time.
    /// </summary>
    public string? CallId { get; init; }

    /// <summary>Send output as <c>tool.progress</c> notifications while it comes.</summary>
    public bool Stream { get; init; }
}

/// <summary>Answer to <c>tool.call</c>: the tool ran, well or not. What kept it from running is an error instead.</summary>
public sealed record ToolReply
{
    /// <summary>What a model should read: output, file content, or the sentence that says what was wrong.</summary>
    public required string Content { get; init; }

    /// <summary>The tool ran and failed: a command ended with another code than 0, a file is not there, a text was not found.</summary>
    public bool IsError { get; init; }

    /// <summary>Exit code of the command, 128 and the signal when a signal ended it; absent for tools without one.</summary>
    public int? ExitCode { get; init; }

    /// <summary>It was ended because its time ran out, and everything it started with it.</summary>
    public bool TimedOut { get; init; }

    /// <summary>The out-of-memory killer ended it.</summary>
    public bool Oom { get; init; }

    /// <summary>There was more than <see cref="Content"/> holds.</summary>
    public bool Truncated { get; init; }

    /// <summary>How long it ran, milliseconds.</summary>
    public required long DurationMs { get; init; }

    /// <summary>Id of the snapshot taken after it, when the daemon takes them for tools and this one can change something.</summary>
    public string? SnapshotId { get; init; }

    /// <summary>Why there is no snapshot although one was to be taken.</summary>
    public string? SnapshotError { get; init; }

    /// <summary>Answered from an earlier call with this id.</summary>
    public bool Repeated { get; init; }
}

/// <summary>A piece of output, as a <c>tool.progress</c> notification to the connection that called. A slow reader may miss some; the answer has it all.</summary>
public sealed record ToolProgress
{
    /// <summary>The text.</summary>
    public required string Content { get; init; }

    /// <summary>It is from standard error.</summary>
    public bool IsError { get; init; }

    /// <summary>Id of the call it belongs to.</summary>
    public string? CallId { get; init; }
}

/// <summary>A tool that can be called in every sandbox.</summary>
public sealed record ToolInfo
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>What it does, for a model.</summary>
    public required string Description { get; init; }

    /// <summary>JSON Schema of its arguments.</summary>
    public required JsonElement Schema { get; init; }
}

/// <summary>Answer to <c>tool.list</c>.</summary>
public sealed record ToolList
{
    /// <summary>The tools.</summary>
    public required IReadOnlyList<ToolInfo> Tools { get; init; }
}
