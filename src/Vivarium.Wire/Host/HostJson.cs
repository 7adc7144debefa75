using System.Text.Json.Serialization;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Wire.Host;

/// <summary>Source-generated JSON of the daemon's API: snake_case names, absent instead of null, unknown members refused.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(Empty))]
[JsonSerializable(typeof(ErrorInfo))]
[JsonSerializable(typeof(CreateParams))]
[JsonSerializable(typeof(SandboxInfo))]
[JsonSerializable(typeof(RefParams))]
[JsonSerializable(typeof(ListParams))]
[JsonSerializable(typeof(SandboxList))]
[JsonSerializable(typeof(DestroyParams))]
[JsonSerializable(typeof(PruneParams))]
[JsonSerializable(typeof(PruneReply))]
[JsonSerializable(typeof(StopSandboxParams))]
[JsonSerializable(typeof(SandboxTicketParams))]
[JsonSerializable(typeof(SandboxTicket))]
[JsonSerializable(typeof(SetTimeoutParams))]
[JsonSerializable(typeof(SandboxUsage))]
[JsonSerializable(typeof(RunParams))]
[JsonSerializable(typeof(RunReply))]
[JsonSerializable(typeof(LaunchProcessParams))]
[JsonSerializable(typeof(LaunchReply))]
[JsonSerializable(typeof(ProcessesPayload))]
[JsonSerializable(typeof(KillParams))]
[JsonSerializable(typeof(LogsParams))]
[JsonSerializable(typeof(LogsReply))]
[JsonSerializable(typeof(TemplateInfo))]
[JsonSerializable(typeof(TemplateList))]
[JsonSerializable(typeof(BuildParams))]
[JsonSerializable(typeof(RemoveTemplateParams))]
[JsonSerializable(typeof(BeginReply))]
[JsonSerializable(typeof(OperationParams))]
[JsonSerializable(typeof(OperationInfo))]
[JsonSerializable(typeof(OperationList))]
[JsonSerializable(typeof(OperationEvent))]
[JsonSerializable(typeof(ShutdownParams))]
[JsonSerializable(typeof(VersionReply))]
[JsonSerializable(typeof(SystemInfo))]
[JsonSerializable(typeof(HealthReply))]
[JsonSerializable(typeof(DoctorReply))]
[JsonSerializable(typeof(ConfigReply))]
[JsonSerializable(typeof(PortParams))]
[JsonSerializable(typeof(PublishedPort))]
[JsonSerializable(typeof(SandboxPorts))]
[JsonSerializable(typeof(SubscribeParams))]
[JsonSerializable(typeof(HostEvent))]
public sealed partial class HostJson : JsonSerializerContext;
