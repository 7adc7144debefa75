using System.Text.Json.Serialization;
using Vivarium.Wire.Guest;

namespace Vivarium.Wire.Supervisor;

/// <summary>Source-generated JSON of the supervisor protocol: snake_case names, absent instead of null, unknown members refused in the spec.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SupervisorSpec))]
[JsonSerializable(typeof(SupervisorStatus))]
[JsonSerializable(typeof(SupervisorInfo))]
[JsonSerializable(typeof(StopParams))]
[JsonSerializable(typeof(TicketParams))]
[JsonSerializable(typeof(TicketReply))]
[JsonSerializable(typeof(ConnectLine))]
[JsonSerializable(typeof(ConnectReply))]
[JsonSerializable(typeof(LaunchParams))]
[JsonSerializable(typeof(LaunchReply))]
[JsonSerializable(typeof(SecretsParams))]
[JsonSerializable(typeof(FreezeParams))]
[JsonSerializable(typeof(ThawReply))]
[JsonSerializable(typeof(CheckpointParams))]
[JsonSerializable(typeof(SavedSandbox))]
[JsonSerializable(typeof(AdoptParams))]
[JsonSerializable(typeof(SandboxUsage))]
[JsonSerializable(typeof(SupervisorEvent))]
[JsonSerializable(typeof(OneShotRequest))]
[JsonSerializable(typeof(OneShotReply))]
[JsonSerializable(typeof(ExitRecord))]
[JsonSerializable(typeof(ProcessesPayload))]
[JsonSerializable(typeof(KillProcessPayload))]
[JsonSerializable(typeof(PublishedPort))]
[JsonSerializable(typeof(PublishedPortsReply))]
[JsonSerializable(typeof(ListenersPayload))]
[JsonSerializable(typeof(Empty))]
public sealed partial class SupervisorJson : JsonSerializerContext;

/// <summary>The empty object, for calls without parameters or result.</summary>
public sealed record Empty;
