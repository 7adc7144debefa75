using System.Text.Json;

namespace Vivarium.Client;

/// <summary>Makes the arguments of tools.</summary>
public static class ToolArguments
{
    /// <summary>An object with these members. Values: string, bool, int, long, double, <see cref="JsonElement"/>, or a list of strings.</summary>
    /// <exception cref="ArgumentException">A value of another type.</exception>
    public static JsonElement Of(params ReadOnlySpan<(string Name, object? Value)> members)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in members)
            {
                writer.WritePropertyName(name);
                Write(writer, name, value);
            }

            writer.WriteEndObject();
        }

        using var document = JsonDocument.Parse(buffer.GetBuffer().AsMemory(0, (int)buffer.Length));
        return document.RootElement.Clone();
    }

    private static void Write(Utf8JsonWriter writer, string name, object? value)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case int number:
                writer.WriteNumberValue(number);
                break;
            case long number:
                writer.WriteNumberValue(number);
                break;
            case double number:
                writer.WriteNumberValue(number);
                break;
            case JsonElement element:
                element.WriteTo(writer);
                break;
            case IEnumerable<string> list:
                writer.WriteStartArray();
                foreach (var item in list)
                {
                    writer.WriteStringValue(item);
                }

                writer.WriteEndArray();
                break;
            default:
                throw new ArgumentException($"the value of {name} is a {value.GetType().Name}, which no tool takes", nameof(value));
        }
    }
}
