using Vivarium.Wire.Errors;

namespace Vivarium.Wire.Host;

/// <summary>Answer to a <c>begin_…</c> call.</summary>
public sealed record BeginReply
{
    /// <summary>Operation id, <c>op-</c> + 16 characters.</summary>
    public required string OperationId { get; init; }
}

/// <summary>Parameters naming an operation.</summary>
public sealed record OperationParams
{
    /// <summary>Operation id.</summary>
    public required string OperationId { get; init; }
}

/// <summary>An operation; finished ones are kept for a while.</summary>
public sealed record OperationInfo
{
    /// <summary>Operation id.</summary>
    public required string OperationId { get; init; }

    /// <summary>What it does, for example <c>sandbox.create</c>.</summary>
    public required string Kind { get; init; }

    /// <summary><c>running, succeeded, failed, canceled</c>.</summary>
    public required string Status { get; init; }

    /// <summary>Last progress.</summary>
    public OperationEvent? Progress { get; init; }

    /// <summary>Why it failed.</summary>
    public ErrorInfo? Error { get; init; }

    /// <summary>Sandbox it is about or made.</summary>
    public string? SandboxId { get; init; }

    /// <summary>Digest of the template it made.</summary>
    public string? TemplateDigest { get; init; }

    /// <summary>What the work left out or ignored, a sentence each; absent: nothing.</summary>
    public IReadOnlyList<string>? Warnings { get; init; }

    /// <summary>Milliseconds since the Unix epoch.</summary>
    public required long StartedUnixMs { get; init; }

    /// <summary>End.</summary>
    public long? EndedUnixMs { get; init; }
}

/// <summary>Answer to <c>operation.list</c>.</summary>
public sealed record OperationList
{
    /// <summary>Running first, then newest first.</summary>
    public required IReadOnlyList<OperationInfo> Operations { get; init; }
}

/// <summary>Progress of an operation, also the <c>progress</c> notification.</summary>
public sealed record OperationEvent
{
    /// <summary>Operation id.</summary>
    public required string OperationId { get; init; }

    /// <summary>Stable word: <c>template, volume, supervisor, boot, …</c>.</summary>
    public required string Stage { get; init; }

    /// <summary>0 to 1, absent when unknown.</summary>
    public double? Fraction { get; init; }

    /// <summary>For people.</summary>
    public string? Message { get; init; }
}
