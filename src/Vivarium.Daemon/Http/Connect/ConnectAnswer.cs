using System.Text;
using System.Text.Json;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Connect;

/// <summary>Errors of the Connect protocol, made from ours.</summary>
internal static class ConnectAnswer
{
    private const string Domain = "vivarium";

    /// <summary>The error with its details, the same for unary answers and the ends of streams.</summary>
    public static ConnectError Error(ErrorInfo error)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        if (error.Hint is not null)
        {
            metadata["hint"] = error.Hint;
        }

        if (error.OperationId is not null)
        {
            metadata["operation_id"] = error.OperationId;
        }

        var reason = error.Reason ?? error.Code;
        var debug = JsonSerializer.SerializeToElement(new ConnectErrorInfo { Reason = reason, Domain = Domain, Metadata = metadata }, SessionJson.Wire.ConnectErrorInfo);
        return new ConnectError
        {
            Code = error.Code,
            Message = error.Hint is null ? error.Message : $"{error.Message}. {error.Hint}",
            Details = [new ConnectErrorDetail { Type = ConnectErrorDetail.ErrorInfo, Value = Protobuf(reason, metadata), Debug = debug }],
        };
    }

    /// <summary>Answers with an error and nothing else.</summary>
    public static async Task WriteErrorAsync(HttpContext context, ErrorInfo error, int? status = null)
    {
        var response = context.Response;
        response.StatusCode = status ?? ErrorCodes.ToConnectHttp(ErrorCodes.Parse(error.Code));
        response.ContentType = "application/json";
        var body = JsonSerializer.SerializeToUtf8Bytes(Error(error), SessionJson.Wire.ConnectError);
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>google.rpc.ErrorInfo: reason = 1, domain = 2, metadata = 3 (a map: entries of key = 1, value = 2), all of them texts.</summary>
    private static string Protobuf(string reason, Dictionary<string, string> metadata)
    {
        using var message = new MemoryStream();
        Field(message, 1, Encoding.UTF8.GetBytes(reason));
        Field(message, 2, Encoding.UTF8.GetBytes(Domain));
        foreach (var (key, value) in metadata)
        {
            using var entry = new MemoryStream();
            Field(entry, 1, Encoding.UTF8.GetBytes(key));
            Field(entry, 2, Encoding.UTF8.GetBytes(value));
            Field(message, 3, entry.ToArray());
        }

        return Convert.ToBase64String(message.ToArray()).TrimEnd('=');
    }

    private static void Field(MemoryStream to, int number, byte[] bytes)
    {
        const int lengthDelimited = 2;
        to.WriteByte((byte)((number << 3) | lengthDelimited));
        var length = (uint)bytes.Length;
        while (length > 0x7f)
        {
            to.WriteByte((byte)(length | 0x80));
            length >>= 7;
        }

        to.WriteByte((byte)length);
        to.Write(bytes);
    }
}
