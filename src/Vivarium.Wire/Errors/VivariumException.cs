namespace Vivarium.Wire.Errors;

/// <summary>
/// The one exception that crosses our boundaries: a stable code, a sentence a user can act on, and optionally a finer
/// <see cref="Reason"/> word and a <see cref="Hint"/> that says what to do next.
/// </summary>
public sealed class VivariumException : Exception
{
    /// <summary>Creates an error.</summary>
    /// <param name="code">The stable kind.</param>
    /// <param name="message">Operation + object + what is wrong, one sentence without a final full stop.</param>
    /// <param name="hint">What the user can do about it, one sentence.</param>
    /// <param name="reason">A stable snake_case word finer than the code, for example <c>pool_full</c>.</param>
    /// <param name="inner">The cause; its text is logged and not repeated in <paramref name="message"/>.</param>
    public VivariumException(ErrorCode code, string message, string? hint = null, string? reason = null, Exception? inner = null)
        : base(message, inner)
    {
        Code = code;
        Hint = hint;
        Reason = reason;
    }

    /// <summary>The stable kind.</summary>
    public ErrorCode Code { get; }

    /// <summary>What the user can do about it.</summary>
    public string? Hint { get; }

    /// <summary>A stable word finer than the code.</summary>
    public string? Reason { get; }

    /// <summary>The wire form.</summary>
    public ErrorInfo ToInfo(string? operationId = null) =>
        new() { Code = ErrorCodes.ToText(Code), Message = Message, Hint = Hint, Reason = Reason, OperationId = operationId };

    /// <summary>The exception for an error that came over the wire.</summary>
    public static VivariumException From(ErrorInfo info) => new(ErrorCodes.Parse(info.Code), info.Message, info.Hint, info.Reason);
}
