using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests.Harness;

/// <summary>Lines for the control port.</summary>
internal static class ControlLine
{
    public static string Of<T>(string type, T payload, JsonTypeInfo<T> info, string? id = null) =>
        JsonSerializer.Serialize(new ControlEnvelope { Type = type, Payload = JsonSerializer.SerializeToElement(payload, info), Id = id }, GuestJson.Default.ControlEnvelope);

    public static string Hello(string token) => Of(
        ControlType.Hello,
        new HelloPayload { Protocol = 1, Version = "test", Token = token, Capabilities = ["oom"] },
        GuestJson.Default.HelloPayload);
}
