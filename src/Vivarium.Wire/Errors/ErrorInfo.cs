namespace Vivarium.Wire.Errors;

/// <summary>An error on the wire: the <c>error</c> member of guest and supervisor answers and the <c>data</c> of a JSON-RPC error.</summary>
public sealed record ErrorInfo
{
    /// <summary>Text form of the <see cref="ErrorCode"/>.</summary>
    public required string Code { get; init; }

    /// <summary>A sentence for people.</summary>
    public required string Message { get; init; }

    /// <summary>What to do next.</summary>
    public string? Hint { get; init; }

    /// <summary>A stable word finer than the code.</summary>
    public string? Reason { get; init; }

    /// <summary>The operation this happened in; the same id stands in the daemon's log.</summary>
    public string? OperationId { get; init; }
}
