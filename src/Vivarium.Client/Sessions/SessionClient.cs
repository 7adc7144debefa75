using Vivarium.Wire.Errors;
using Vivarium.Wire.Sessions;

namespace Vivarium.Client;

/// <summary>
/// The session service of a host over HTTP. One client serves any number of calls at once; it holds connections, so keep it. Every method throws <see cref="VivariumException"/>; a
/// token that is cancelled ends the waiting only.
/// </summary>
public sealed class SessionClient : IDisposable
{
    private readonly HttpClient http;
    private readonly ConnectTransport transport;

    /// <summary>A client of the service at this address, for example <c>http://127.0.0.1:7780</c>.</summary>
    public SessionClient(Uri address, SessionClientOptions? options = null)
        : this(address, new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1) }, options)
    {
    }

    /// <summary>As the other, with a handler of the caller's: proxies, certificates. The client owns it from now on.</summary>
    public SessionClient(Uri address, HttpMessageHandler handler, SessionClientOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(address);
        var root = address.AbsoluteUri.EndsWith('/') ? address : new Uri(address.AbsoluteUri + "/");
        http = new HttpClient(handler) { Timeout = System.Threading.Timeout.InfiniteTimeSpan };
        transport = new ConnectTransport(http, root, options ?? new SessionClientOptions());
    }

    /// <summary>Makes a session; it is active when this returns. One that lacks what it was to be able to do is not kept.</summary>
    /// <exception cref="VivariumException">failed_precondition <c>capability_missing</c>; already_exists; not_found (template); resource_exhausted; invalid_argument.</exception>
    public async Task<CreateSessionResponse> CreateSessionAsync(CreateSessionRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var made = await transport.CallAsync(
            SessionMethod.CreateSession, request, SessionJson.Wire.CreateSessionRequest, SessionJson.Wire.CreateSessionResponse, repeatable: false, cancellationToken).ConfigureAwait(false);
        if (request.RequiredCapabilities is not { } required || Covers(made.ServerCapabilities, required))
        {
            return made;
        }

        // A service that does not know the member has made it all the same.
        await DestroySessionAsync(made.Session.Id, cancellationToken).ConfigureAwait(false);
        throw new VivariumException(ErrorCode.FailedPrecondition, "creating a session: the service cannot give what is required; nothing is left of it", "Ask CapabilitiesAsync what there is.", "capability_missing");
    }

    /// <summary>A session, by the id its creator gave it or the sandbox's.</summary>
    /// <exception cref="VivariumException">not_found.</exception>
    public async Task<Session> GetSessionAsync(string sessionId, CancellationToken cancellationToken = default) =>
        (await AboutAsync(SessionMethod.GetSession, sessionId, repeatable: true, cancellationToken).ConfigureAwait(false)).Session;

    /// <summary>Sessions, oldest first.</summary>
    public async Task<IReadOnlyList<Session>> ListSessionsAsync(ListSessionsRequest? request = null, CancellationToken cancellationToken = default) =>
        (await transport.CallAsync(
            SessionMethod.ListSessions, request ?? new ListSessionsRequest(), SessionJson.Wire.ListSessionsRequest, SessionJson.Wire.ListSessionsResponse, repeatable: true, cancellationToken)
            .ConfigureAwait(false)).Sessions;

    /// <summary>Stands it still: new tools are refused, those that run are waited for.</summary>
    public async Task<Session> PauseSessionAsync(string sessionId, CancellationToken cancellationToken = default) =>
        (await AboutAsync(SessionMethod.PauseSession, sessionId, repeatable: false, cancellationToken).ConfigureAwait(false)).Session;

    /// <summary>Lets it go on.</summary>
    public async Task<Session> ResumeSessionAsync(string sessionId, CancellationToken cancellationToken = default) =>
        (await AboutAsync(SessionMethod.ResumeSession, sessionId, repeatable: false, cancellationToken).ConfigureAwait(false)).Session;

    /// <summary>Ends it for good. Again is no error; not_found only if it never was.</summary>
    public Task DestroySessionAsync(string sessionId, CancellationToken cancellationToken = default) => transport.CallAsync(
        SessionMethod.DestroySession, new SessionRequest { SessionId = sessionId }, SessionJson.Wire.SessionRequest, SessionJson.Wire.EmptyResponse, repeatable: true, cancellationToken);

    /// <summary>Calls a tool and waits for its answer. Safe to repeat: the same <see cref="ExecuteToolRequest.ToolCallId"/> gives the first call's answer.</summary>
    public Task<ExecuteToolResponse> ExecuteToolAsync(ExecuteToolRequest request, CancellationToken cancellationToken = default) => transport.CallAsync(
        SessionMethod.ExecuteTool, request, SessionJson.Wire.ExecuteToolRequest, SessionJson.Wire.ExecuteToolResponse, repeatable: true, cancellationToken);

    /// <summary>Calls a tool and gives its output while it comes; the last message has the answer. Leaving the enumeration does not end the tool.</summary>
    public IAsyncEnumerable<ExecuteToolStreamMessage> ExecuteToolStreamAsync(ExecuteToolRequest request, CancellationToken cancellationToken = default) => transport.StreamAsync(
        SessionMethod.ExecuteToolStream, request, SessionJson.Wire.ExecuteToolRequest, SessionJson.Wire.ExecuteToolStreamMessage, cancellationToken);

    /// <summary>Starts a process that goes on by itself.</summary>
    public Task<LaunchProcessResponse> LaunchProcessAsync(LaunchProcessRequest request, CancellationToken cancellationToken = default) => transport.CallAsync(
        SessionMethod.LaunchProcess, request, SessionJson.Wire.LaunchProcessRequest, SessionJson.Wire.LaunchProcessResponse, repeatable: false, cancellationToken);

    /// <summary>How a process is, or how it ended.</summary>
    public Task<SessionProcess> GetProcessStatusAsync(string sessionId, string processId, CancellationToken cancellationToken = default) => transport.CallAsync(
        SessionMethod.GetProcessStatus, new ProcessRequest { SessionId = sessionId, ProcessId = processId }, SessionJson.Wire.ProcessRequest, SessionJson.Wire.SessionProcess, repeatable: true, cancellationToken);

    /// <summary>The processes that were launched, the running first.</summary>
    public async Task<IReadOnlyList<SessionProcess>> ListProcessesAsync(string sessionId, CancellationToken cancellationToken = default) =>
        (await transport.CallAsync(
            SessionMethod.ListProcesses, new SessionRequest { SessionId = sessionId }, SessionJson.Wire.SessionRequest, SessionJson.Wire.ListProcessesResponse, repeatable: true, cancellationToken)
            .ConfigureAwait(false)).Processes;

    /// <summary>A piece of what a process wrote.</summary>
    public Task<GetProcessLogsResponse> GetProcessLogsAsync(GetProcessLogsRequest request, CancellationToken cancellationToken = default) => transport.CallAsync(
        SessionMethod.GetProcessLogs, request, SessionJson.Wire.GetProcessLogsRequest, SessionJson.Wire.GetProcessLogsResponse, repeatable: true, cancellationToken);

    /// <summary>Sends a signal to a process and all that came from it; one that has ended is no error.</summary>
    public Task KillProcessAsync(KillProcessRequest request, CancellationToken cancellationToken = default) => transport.CallAsync(
        SessionMethod.KillProcess, request, SessionJson.Wire.KillProcessRequest, SessionJson.Wire.EmptyResponse, repeatable: false, cancellationToken);

    /// <summary>Closes a turn: a numbered snapshot.</summary>
    public Task<SnapshotResponse> TurnCompleteAsync(TurnCompleteRequest request, CancellationToken cancellationToken = default) => transport.CallAsync(
        SessionMethod.TurnComplete, request, SessionJson.Wire.TurnCompleteRequest, SessionJson.Wire.SnapshotResponse, repeatable: false, cancellationToken);

    /// <summary>Takes a named snapshot.</summary>
    public Task<SnapshotResponse> CreateSnapshotAsync(CreateSnapshotRequest request, CancellationToken cancellationToken = default) => transport.CallAsync(
        SessionMethod.CreateSnapshot, request, SessionJson.Wire.CreateSnapshotRequest, SessionJson.Wire.SnapshotResponse, repeatable: false, cancellationToken);

    /// <summary>Puts a session back to a snapshot. A name that does not exist changes nothing.</summary>
    public async Task<Session> RollbackSessionAsync(RollbackSessionRequest request, CancellationToken cancellationToken = default) =>
        (await transport.CallAsync(
            SessionMethod.RollbackSession, request, SessionJson.Wire.RollbackSessionRequest, SessionJson.Wire.SessionResponse, repeatable: false, cancellationToken).ConfigureAwait(false)).Session;

    /// <summary>Snapshots of a session, oldest first.</summary>
    public async Task<IReadOnlyList<SessionSnapshot>> ListSnapshotsAsync(string sessionId, CancellationToken cancellationToken = default) =>
        (await transport.CallAsync(
            SessionMethod.ListSnapshots, new ListSnapshotsRequest { SessionId = sessionId }, SessionJson.Wire.ListSnapshotsRequest, SessionJson.Wire.ListSnapshotsResponse, repeatable: true, cancellationToken)
            .ConfigureAwait(false)).Snapshots;

    /// <summary>How the host is.</summary>
    public Task<HealthCheckResponse> HealthCheckAsync(CancellationToken cancellationToken = default) => transport.CallAsync(
        SessionMethod.HealthCheck, new EmptyRequest(), SessionJson.Wire.EmptyRequest, SessionJson.Wire.HealthCheckResponse, repeatable: true, cancellationToken);

    /// <summary>What sessions of the host can do, its limits, and the tools with their schemas.</summary>
    public Task<CapabilitiesResponse> CapabilitiesAsync(CancellationToken cancellationToken = default) => transport.CallAsync(
        SessionMethod.Capabilities, new EmptyRequest(), SessionJson.Wire.EmptyRequest, SessionJson.Wire.CapabilitiesResponse, repeatable: true, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    private Task<SessionResponse> AboutAsync(string method, string sessionId, bool repeatable, CancellationToken cancellationToken) => transport.CallAsync(
        method, new SessionRequest { SessionId = sessionId }, SessionJson.Wire.SessionRequest, SessionJson.Wire.SessionResponse, repeatable, cancellationToken);

    private static bool Covers(SessionCapabilities has, SessionCapabilities required) =>
        (required.Snapshots != true || has.Snapshots == true) && (required.Rollback != true || has.Rollback == true) && (required.Pause != true || has.Pause == true)
        && (required.StreamingProgress != true || has.StreamingProgress == true) && (required.TierRouting != true || has.TierRouting == true);
}
