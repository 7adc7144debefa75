using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vivarium.Wire.Sessions;

/// <summary>
/// Source-generated JSON of the session service: PascalCase names (read whatever their case), null written as null, durations in nanoseconds, times in RFC 3339. What is not
/// known is skipped: clients of later versions may say more.
/// </summary>
[JsonSourceGenerationOptions(PropertyNameCaseInsensitive = true, NumberHandling = JsonNumberHandling.AllowReadingFromString)]
[JsonSerializable(typeof(EmptyRequest))]
[JsonSerializable(typeof(EmptyResponse))]
[JsonSerializable(typeof(CreateSessionRequest))]
[JsonSerializable(typeof(CreateSessionResponse))]
[JsonSerializable(typeof(SessionRequest))]
[JsonSerializable(typeof(SessionResponse))]
[JsonSerializable(typeof(ListSessionsRequest))]
[JsonSerializable(typeof(ListSessionsResponse))]
[JsonSerializable(typeof(TurnCompleteRequest))]
[JsonSerializable(typeof(CreateSnapshotRequest))]
[JsonSerializable(typeof(SnapshotResponse))]
[JsonSerializable(typeof(RollbackSessionRequest))]
[JsonSerializable(typeof(ListSnapshotsRequest))]
[JsonSerializable(typeof(ListSnapshotsResponse))]
[JsonSerializable(typeof(HealthCheckResponse))]
[JsonSerializable(typeof(CapabilitiesResponse))]
[JsonSerializable(typeof(ConnectError))]
[JsonSerializable(typeof(ConnectErrorInfo))]
[JsonSerializable(typeof(ConnectEndStream))]
[JsonSerializable(typeof(ExecuteToolRequest))]
[JsonSerializable(typeof(LaunchProcessRequest))]
[JsonSerializable(typeof(LaunchProcessResponse))]
[JsonSerializable(typeof(KillProcessRequest))]
[JsonSerializable(typeof(ProcessRequest))]
[JsonSerializable(typeof(SessionProcess))]
[JsonSerializable(typeof(ListProcessesResponse))]
[JsonSerializable(typeof(GetProcessLogsRequest))]
[JsonSerializable(typeof(GetProcessLogsResponse))]
[JsonSerializable(typeof(ExecuteToolResponse))]
[JsonSerializable(typeof(ExecuteToolStreamMessage))]
public sealed partial class SessionJson : JsonSerializerContext
{
    /// <summary>
    /// What both sides use. Texts are written as they are, with nothing escaped but what JSON demands: it is never part of a page, and a tool's output in another script would be
    /// thrice as long.
    /// </summary>
    public static SessionJson Wire { get; } = new(new JsonSerializerOptions
    {
        PropertyNameCaseInsensitive = true,
        NumberHandling = JsonNumberHandling.AllowReadingFromString,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
