using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Vivarium.Guest.Ports;

/// <summary>One JSON object, one line.</summary>
internal static class JsonLines
{
    /// <summary>The object's bytes with the newline.</summary>
    public static byte[] ToLine<T>(T value, JsonTypeInfo<T> type)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(value, type);
        Array.Resize(ref json, json.Length + 1);
        json[^1] = (byte)'\n';
        return json;
    }
}
