using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vivarium.Host.Naming;

/// <summary>Opaque id of a snapshot: 20 random characters of [a-z0-9].</summary>
[JsonConverter(typeof(SnapshotIdJsonConverter))]
public readonly record struct SnapshotId
{
    private SnapshotId(string value) => Value = value;

    /// <summary>The text form.</summary>
    public string Value { get; }

    /// <summary>A fresh id.</summary>
    public static SnapshotId New() => new(RandomText.Next(SandboxId.Length));

    /// <summary>Reads an id; false when the text is not one.</summary>
    public static bool TryParse(string? text, out SnapshotId id)
    {
        var good = SandboxId.TryParse(text, out var parsed);
        id = good ? new SnapshotId(parsed.Value) : default;
        return good;
    }

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>An id as a JSON string; anything else is refused.</summary>
internal sealed class SnapshotIdJsonConverter : JsonConverter<SnapshotId>
{
    public override SnapshotId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        SnapshotId.TryParse(reader.GetString(), out var id) ? id : throw new JsonException("not a snapshot id");

    public override void Write(Utf8JsonWriter writer, SnapshotId value, JsonSerializerOptions options) => writer.WriteStringValue(value.Value);
}
