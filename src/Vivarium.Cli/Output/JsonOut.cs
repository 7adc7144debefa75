using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Vivarium.Cli.Output;

/// <summary>What --json prints: the records of the daemon's API, indented, one newline at the end.</summary>
internal static class JsonOut
{
    public static JsonWriterOptions WriterOptions { get; } = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Print<T>(TextOut output, T value, JsonTypeInfo<T> type) => Write(output, value, type, indented: true);

    /// <summary>On one line, for streams of values.</summary>
    public static void PrintLine<T>(TextOut output, T value, JsonTypeInfo<T> type) => Write(output, value, type, indented: false);

    private static void Write<T>(TextOut output, T value, JsonTypeInfo<T> type, bool indented)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, WriterOptions with { Indented = indented }))
        {
            JsonSerializer.Serialize(writer, value, type);
        }

        bytes.WriteByte((byte)'\n');
        output.Raw(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }
}
