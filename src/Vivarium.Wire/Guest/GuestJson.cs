using System.Text.Json.Serialization;

namespace Vivarium.Wire.Guest;

/// <summary>Source-generated JSON of the guest protocol: snake_case names, absent instead of null.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ControlEnvelope))]
[JsonSerializable(typeof(AckPayload))]
[JsonSerializable(typeof(HealthPayload))]
[JsonSerializable(typeof(SetConfigPayload))]
[JsonSerializable(typeof(InjectSecretPayload))]
[JsonSerializable(typeof(InjectSshKeyPayload))]
[JsonSerializable(typeof(MountPayload))]
[JsonSerializable(typeof(ShutdownPayload))]
[JsonSerializable(typeof(LifecyclePayload))]
[JsonSerializable(typeof(HelloPayload))]
[JsonSerializable(typeof(ConfigurePayload))]
[JsonSerializable(typeof(GuestStats))]
[JsonSerializable(typeof(ProcessesPayload))]
[JsonSerializable(typeof(KillProcessPayload))]
[JsonSerializable(typeof(ResumedPayload))]
[JsonSerializable(typeof(OomPayload))]
[JsonSerializable(typeof(ListenersPayload))]
[JsonSerializable(typeof(ExecRequest))]
[JsonSerializable(typeof(ExecReply))]
[JsonSerializable(typeof(ExecControl))]
[JsonSerializable(typeof(FileRequest))]
[JsonSerializable(typeof(FileReply))]
[JsonSerializable(typeof(FileEvent))]
[JsonSerializable(typeof(ForwardRequest))]
public sealed partial class GuestJson : JsonSerializerContext;
