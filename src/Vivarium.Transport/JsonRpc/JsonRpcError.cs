using System.Text.Json;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Transport.JsonRpc;

/// <summary>Errors of JSON-RPC 2.0 itself, and the translation of ours.</summary>
internal static class JsonRpcError
{
    public const int ParseError = -32700;
    public const int InvalidRequest = -32600;
    public const int MethodNotFound = -32601;

    /// <summary>The exception a caller sees for an <c>error</c> member.</summary>
    public static VivariumException ToException(string method, JsonElement error)
    {
        if (error.ValueKind != JsonValueKind.Object)
            return new VivariumException(ErrorCode.Internal, $"{method}: the other side answered with an error that is not an object");
        if (error.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object && ReadInfo(data) is { } info)
            return VivariumException.From(info);

        var code = error.TryGetProperty("code", out var c) && c.TryGetInt32(out var number) ? number : 0;
        var message = error.TryGetProperty("message", out var m) && m.ValueKind == JsonValueKind.String ? m.GetString()! : "unknown error";
        return new VivariumException(Kind(code), $"{method}: {message}");
    }

    private static ErrorCode Kind(int code)
    {
        foreach (var candidate in Enum.GetValues<ErrorCode>())
        {
            if (ErrorCodes.ToJsonRpc(candidate) == code)
                return candidate;
        }

        return code switch
        {
            MethodNotFound => ErrorCode.Unimplemented,
            ParseError or InvalidRequest => ErrorCode.InvalidArgument,
            _ => ErrorCode.Internal,
        };
    }

    private static ErrorInfo? ReadInfo(JsonElement data)
    {
        try
        {
            return data.Deserialize(JsonTypes.Tolerant(HostJson.Default.ErrorInfo));
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
