namespace Vivarium.Wire.Errors;

/// <summary>One table: error code ↔ text on the wire ↔ JSON-RPC code ↔ HTTP status. The text form is also the Connect code.</summary>
public static class ErrorCodes
{
    private static readonly (ErrorCode Code, string Text, int JsonRpc, int Http)[] Table =
    [
        (ErrorCode.Internal, "internal", -32603, 500),
        (ErrorCode.InvalidArgument, "invalid_argument", -32602, 400),
        (ErrorCode.NotFound, "not_found", -32001, 404),
        (ErrorCode.AlreadyExists, "already_exists", -32002, 409),
        (ErrorCode.FailedPrecondition, "failed_precondition", -32003, 412),
        (ErrorCode.ResourceExhausted, "resource_exhausted", -32004, 429),
        (ErrorCode.PermissionDenied, "permission_denied", -32005, 403),
        (ErrorCode.Unauthenticated, "unauthenticated", -32006, 401),
        (ErrorCode.Unavailable, "unavailable", -32007, 503),
        (ErrorCode.DeadlineExceeded, "deadline_exceeded", -32008, 504),
        (ErrorCode.Canceled, "canceled", -32009, 499),
        (ErrorCode.Unimplemented, "unimplemented", -32010, 501),
        (ErrorCode.DataLoss, "data_loss", -32011, 500),
    ];

    /// <summary>The stable text form, for example <c>not_found</c>.</summary>
    public static string ToText(ErrorCode code) => Row(code).Text;

    /// <summary>The JSON-RPC 2.0 error code.</summary>
    public static int ToJsonRpc(ErrorCode code) => Row(code).JsonRpc;

    /// <summary>The HTTP status.</summary>
    public static int ToHttp(ErrorCode code) => Row(code).Http;

    /// <summary>The HTTP status of a unary answer of the Connect protocol, whose table differs from ours in one row. Source: "Error codes" of its specification.</summary>
    public static int ToConnectHttp(ErrorCode code) => code == ErrorCode.FailedPrecondition ? 400 : Row(code).Http;

    /// <summary>Reads the text form; an unknown text (a newer peer's) reads as <see cref="ErrorCode.Internal"/>.</summary>
    public static ErrorCode Parse(string? text)
    {
        foreach (var row in Table)
        {
            if (row.Text == text)
            {
                return row.Code;
            }
        }

        return ErrorCode.Internal;
    }

    private static (ErrorCode Code, string Text, int JsonRpc, int Http) Row(ErrorCode code)
    {
        foreach (var row in Table)
        {
            if (row.Code == code)
            {
                return row;
            }
        }

        return Table[0];
    }
}
