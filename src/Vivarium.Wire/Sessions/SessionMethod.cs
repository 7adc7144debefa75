namespace Vivarium.Wire.Sessions;

/// <summary>Procedures of the session service: <c>POST /rpc.v1.SandboxService/METHOD</c>, Connect protocol, JSON. docs/session-service.md describes them.</summary>
public static class SessionMethod
{
    /// <summary>Name of the service, the first part of every path.</summary>
    public const string Service = "rpc.v1.SandboxService";

    /// <summary>Header that names the version of the service's messages, in requests and answers.</summary>
    public const string VersionHeader = "x-api-version";

    /// <summary>Version this program speaks.</summary>
    public const int Version = 1;

    /// <summary>Oldest version it serves.</summary>
    public const int OldestVersion = 1;

    /// <summary>Largest message either way unless configured otherwise, bytes.</summary>
    public const int DefaultMaxMessageBytes = 16 * 1024 * 1024;

#pragma warning disable CS1591 // The comment on each says all there is.
    /// <summary><see cref="CreateSessionRequest"/> → <see cref="CreateSessionResponse"/>.</summary>
    public const string CreateSession = "CreateSession";
    /// <summary><see cref="SessionRequest"/> → <see cref="SessionResponse"/>.</summary>
    public const string GetSession = "GetSession";
    /// <summary><see cref="ListSessionsRequest"/> → <see cref="ListSessionsResponse"/>.</summary>
    public const string ListSessions = "ListSessions";
    /// <summary><see cref="SessionRequest"/> → <see cref="SessionResponse"/>.</summary>
    public const string PauseSession = "PauseSession";
    /// <summary><see cref="SessionRequest"/> → <see cref="SessionResponse"/>.</summary>
    public const string ResumeSession = "ResumeSession";
    /// <summary><see cref="SessionRequest"/> → <see cref="EmptyResponse"/>. Again is no error; not_found only if never known.</summary>
    public const string DestroySession = "DestroySession";
    /// <summary><see cref="ExecuteToolRequest"/> → <see cref="ExecuteToolResponse"/>, when the tool has ended.</summary>
    public const string ExecuteTool = "ExecuteTool";
    /// <summary><see cref="ExecuteToolRequest"/> → a stream of <see cref="ExecuteToolStreamMessage"/>.</summary>
    public const string ExecuteToolStream = "ExecuteToolStream";
    /// <summary><see cref="LaunchProcessRequest"/> → <see cref="LaunchProcessResponse"/>.</summary>
    public const string LaunchProcess = "LaunchProcess";
    /// <summary><see cref="KillProcessRequest"/> → <see cref="EmptyResponse"/>. What has ended is fine.</summary>
    public const string KillProcess = "KillProcess";
    /// <summary><see cref="ProcessRequest"/> → <see cref="SessionProcess"/>.</summary>
    public const string GetProcessStatus = "GetProcessStatus";
    /// <summary><see cref="SessionRequest"/> → <see cref="ListProcessesResponse"/>.</summary>
    public const string ListProcesses = "ListProcesses";
    /// <summary><see cref="GetProcessLogsRequest"/> → <see cref="GetProcessLogsResponse"/>.</summary>
    public const string GetProcessLogs = "GetProcessLogs";
    /// <summary><see cref="TurnCompleteRequest"/> → <see cref="SnapshotResponse"/>.</summary>
    public const string TurnComplete = "TurnComplete";
    /// <summary><see cref="CreateSnapshotRequest"/> → <see cref="SnapshotResponse"/>.</summary>
    public const string CreateSnapshot = "CreateSnapshot";
    /// <summary><see cref="RollbackSessionRequest"/> → <see cref="SessionResponse"/>.</summary>
    public const string RollbackSession = "RollbackSession";
    /// <summary><see cref="ListSnapshotsRequest"/> → <see cref="ListSnapshotsResponse"/>.</summary>
    public const string ListSnapshots = "ListSnapshots";
    /// <summary><see cref="EmptyRequest"/> → <see cref="HealthCheckResponse"/>.</summary>
    public const string HealthCheck = "HealthCheck";
    /// <summary><see cref="EmptyRequest"/> → <see cref="CapabilitiesResponse"/>.</summary>
    public const string Capabilities = "Capabilities";
#pragma warning restore CS1591
}
