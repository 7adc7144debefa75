using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vivarium.Host.Naming;

/// <summary>Opaque id of a sandbox: 20 random characters of [a-z0-9].</summary>
[JsonConverter(typeof(SandboxIdJsonConverter))]
public readonly record struct SandboxId
{
    /// <summary>Characters in an id.</summary>
    public const int Length = 20;

    private SandboxId(string value) => Value = value;

    /// <summary>The text form.</summary>
    public string Value { get; }

    /// <summary>A fresh id; 36^20 values, so no check against the ones in use is needed (the database has a primary key all the same).</summary>
    public static SandboxId New() => new(RandomText.Next(Length));

    /// <summary>Reads an id; false when the text is not one.</summary>
    public static bool TryParse(string? text, out SandboxId id)
    {
        id = default;
        if (text is not { Length: Length })
        {
            return false;
        }

        foreach (var c in text)
        {
            if (c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9')))
            {
                return false;
            }
        }

        id = new SandboxId(text);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>An id as a JSON string; anything else is refused.</summary>
internal sealed class SandboxIdJsonConverter : JsonConverter<SandboxId>
{
    public override SandboxId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        SandboxId.TryParse(reader.GetString(), out var id) ? id : throw new JsonException("not a sandbox id");

    public override void Write(Utf8JsonWriter writer, SandboxId value, JsonSerializerOptions options) => writer.WriteStringValue(value.Value);
}
