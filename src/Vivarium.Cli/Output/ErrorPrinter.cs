using System.Text.Json;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Output;

/// <summary>Errors for people on standard error; with --json as <c>{"error": …}</c> on standard output, where the result would have been.</summary>
internal static class ErrorPrinter
{
    public static void Print(ErrorInfo error, bool json, TextOut output, TextOut messages)
    {
        if (json)
        {
            using var bytes = new MemoryStream();
            using (var writer = new Utf8JsonWriter(bytes, JsonOut.WriterOptions))
            {
                writer.WriteStartObject();
                writer.WritePropertyName("error");
                JsonSerializer.Serialize(writer, error, Wire.Host.HostJson.Default.ErrorInfo);
                writer.WriteEndObject();
            }

            bytes.WriteByte((byte)'\n');
            output.Raw(bytes.ToArray());
            return;
        }

        var color = messages.Color;
        messages.Write(Style.Paint(color, Style.Bad, "error:")).Write(" ").Write(SafeLines(error.Message));
        messages.Line(Style.Paint(color, Style.Faint, $" ({error.Code}{(error.Reason is { } reason ? $", {Style.Safe(reason)}" : "")})"));
        if (error.Hint is { Length: > 0 } hint)
        {
            messages.Write(Style.Paint(color, Style.Strong, "hint:")).Write(" ").Line(SafeLines(hint));
        }

        if (error.OperationId is { } operation && error.Code == "internal")
        {
            messages.Line($"operation: {Style.Safe(operation)}");
        }

        messages.Flush();
    }

    private static string SafeLines(string text) => string.Join('\n', text.Split('\n').Select(Style.Safe));
}
