using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vivarium.Wire.Sessions;

/// <summary>Parameters of ExecuteTool and ExecuteToolStream.</summary>
public sealed record ExecuteToolRequest
{
    /// <summary>The session; it must be active.</summary>
    [JsonPropertyName("SessionID")]
    public string? SessionId { get; init; }

    /// <summary>Name of the tool, one of Capabilities' <see cref="CapabilitiesResponse.Tools"/>.</summary>
    public string? ToolName { get; init; }

    /// <summary>1 to 256 characters. The same id with the same parameters gives the first call's answer, also while that is still running.</summary>
    [JsonPropertyName("ToolCallID")]
    public string? ToolCallId { get; init; }

    /// <summary>An object that fits the tool's schema.</summary>
    public JsonElement? Params { get; init; }

    /// <summary>Limits of the call. A session's limits hold for all its tools: asking for as much or more changes nothing, asking for less is refused.</summary>
    public SessionResources? Resources { get; init; }
}

/// <summary>Answer of ExecuteTool: the tool ran, well or not.</summary>
public sealed record ExecuteToolResponse
{
    /// <summary>The session.</summary>
    [JsonPropertyName("SessionID")]
    public string? SessionId { get; init; }

    /// <summary>Id of the call.</summary>
    [JsonPropertyName("ToolCallID")]
    public string? ToolCallId { get; init; }

    /// <summary>The tool.</summary>
    public string? ToolName { get; init; }

    /// <summary>What a model should read: output, file content, or the sentence that says what was wrong.</summary>
    public required string Content { get; init; }

    /// <summary>The same as blocks.</summary>
    public IReadOnlyList<ContentBlock>? ContentBlocks { get; init; }

    /// <summary>Exit code of the command, 128 and the signal when a signal ended it; null for tools without one.</summary>
    public int? ExitCode { get; init; }

    /// <summary>Name of the snapshot taken after it, when the host takes them for tools; else empty.</summary>
    [JsonPropertyName("SnapshotID")]
    public string? SnapshotId { get; init; }

    /// <summary>Why there is none although one was to be taken.</summary>
    public string? SnapshotError { get; init; }

    /// <summary>How long it ran, nanoseconds.</summary>
    public long Duration { get; init; }

    /// <summary>2: inside a sandbox; 1: on <c>direct</c>.</summary>
    public int Tier { get; init; }

    /// <summary>The tool ran and failed.</summary>
    public bool IsError { get; init; }

    /// <summary>Its time ran out.</summary>
    public bool TimedOut { get; init; }

    /// <summary>The out-of-memory killer ended it.</summary>
    [JsonPropertyName("OOM")]
    public bool Oom { get; init; }

    /// <summary>There was more than <see cref="Content"/> holds.</summary>
    public bool Truncated { get; init; }

    /// <summary>Answered from an earlier call with this id.</summary>
    public bool Repeated { get; init; }
}

/// <summary>A piece of content.</summary>
public sealed record ContentBlock
{
    /// <summary><c>text</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The text.</summary>
    public string? Text { get; init; }
}

/// <summary>A message of ExecuteToolStream: any number with <see cref="Progress"/>, then one with <see cref="Response"/>.</summary>
public sealed record ExecuteToolStreamMessage
{
    /// <summary>A piece of output.</summary>
    public ExecuteToolProgress? Progress { get; init; }

    /// <summary>The answer.</summary>
    public ExecuteToolResponse? Response { get; init; }
}

/// <summary>A piece of output while the tool runs.</summary>
public sealed record ExecuteToolProgress
{
    /// <summary>The text.</summary>
    public required string Content { get; init; }

    /// <summary>It is from standard error.</summary>
    public bool IsError { get; init; }

    /// <summary>Characters left out before it because the caller did not read as fast as they came. The answer has them.</summary>
    public long Skipped { get; init; }
}
