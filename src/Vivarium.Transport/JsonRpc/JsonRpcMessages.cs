using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using Vivarium.Transport.Lines;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Transport.JsonRpc;

/// <summary>Writes and checks the messages of JSON-RPC 2.0.</summary>
internal static class JsonRpcMessages
{
    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = JsonTypes.MaxDepth };

    public static JsonLine Request<T>(long? id, string method, T parameters, JsonTypeInfo<T> type) => Write(writer =>
    {
        if (id is { } number)
            writer.WriteNumber("id"u8, number);
        writer.WriteString("method"u8, method);
        writer.WritePropertyName("params"u8);
        JsonSerializer.Serialize(writer, parameters, type);
    });

    public static JsonLine Cancel(long id) => Write(writer =>
    {
        writer.WriteString("method"u8, JsonRpcConnection.CancelMethod);
        writer.WriteStartObject("params"u8);
        writer.WriteNumber("id"u8, id);
        writer.WriteEndObject();
    });

    public static JsonLine Result(string id, Action<Utf8JsonWriter> result) => Write(writer =>
    {
        WriteId(writer, id);
        writer.WritePropertyName("result"u8);
        result(writer);
    });

    public static JsonLine Error(string? id, int code, ErrorInfo info) => Write(writer =>
    {
        WriteId(writer, id);
        writer.WriteStartObject("error"u8);
        writer.WriteNumber("code"u8, code);
        writer.WriteString("message"u8, info.Message);
        writer.WritePropertyName("data"u8);
        JsonSerializer.Serialize(writer, info, HostJson.Default.ErrorInfo);
        writer.WriteEndObject();
    });

    /// <summary>One JSON value and nothing behind it.</summary>
    /// <exception cref="JsonException">Malformed, or nested deeper than <see cref="JsonTypes.MaxDepth"/>.</exception>
    public static JsonDocument Parse(ReadOnlySpan<byte> line)
    {
        if (!Utf8.IsValid(line))
            throw new JsonException("it is not valid UTF-8");
        var reader = new Utf8JsonReader(line, ReaderOptions);
        var document = JsonDocument.ParseValue(ref reader);
        try
        {
            if (reader.Read())
                throw new JsonException("there is something behind the value");
            return document;
        }
        catch
        {
            document.Dispose();
            throw;
        }
    }

    /// <summary>What is wrong with a message by the specification, or null.</summary>
    public static string? Fault(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            return "a message must be an object";
        if (!root.TryGetProperty("jsonrpc"u8, out var version) || version.ValueKind != JsonValueKind.String || !version.ValueEquals("2.0"u8))
            return "the member jsonrpc must be \"2.0\"";
        if (root.TryGetProperty("id"u8, out var id) && id.ValueKind is not (JsonValueKind.Number or JsonValueKind.String or JsonValueKind.Null))
            return "the member id must be a number or a string";
        if (!root.TryGetProperty("method"u8, out var method))
            return root.TryGetProperty("result"u8, out _) || root.TryGetProperty("error"u8, out _) ? null : "the member method is missing";
        if (method.ValueKind != JsonValueKind.String)
            return "the member method must be a string";
        return root.TryGetProperty("params"u8, out var p) && p.ValueKind is not (JsonValueKind.Object or JsonValueKind.Null)
            ? "the member params must be an object"
            : null;
    }

    public static JsonElement? Params(JsonElement root) =>
        root.TryGetProperty("params"u8, out var p) && p.ValueKind == JsonValueKind.Object ? p : null;

    public static T ReadResult<T>(string method, JsonElement root, JsonTypeInfo<T> type)
    {
        if (root.TryGetProperty("error"u8, out var error))
            throw JsonRpcError.ToException(method, error);
        try
        {
            return root.GetProperty("result"u8).Deserialize(type) ?? throw new JsonException("the result is null");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException)
        {
            throw new VivariumException(ErrorCode.Internal, $"{method}: the answer cannot be read: {e.Message}", "Are the two sides of very different versions?", "bad_answer", e);
        }
    }

    private static JsonLine Write(Action<Utf8JsonWriter> members)
    {
        var line = new JsonLine();
        try
        {
            using (var writer = new Utf8JsonWriter(line))
            {
                writer.WriteStartObject();
                writer.WriteString("jsonrpc"u8, "2.0"u8);
                members(writer);
                writer.WriteEndObject();
            }

            return line.End();
        }
        catch
        {
            line.Dispose();
            throw;
        }
    }

    private static void WriteId(Utf8JsonWriter writer, string? id)
    {
        writer.WritePropertyName("id"u8);
        if (id is null)
            writer.WriteNullValue();
        else
            writer.WriteRawValue(id);
    }
}
