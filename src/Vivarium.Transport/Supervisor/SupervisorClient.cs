using System.Text.Json.Serialization.Metadata;
using Vivarium.Transport.Guest;
using Vivarium.Transport.JsonRpc;
using Vivarium.Transport.Lines;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Transport.Supervisor;

/// <summary>
/// A control connection to one sandbox's supervisor. Methods throw what the supervisor answers, or unavailable when it is gone.
/// </summary>
public sealed class SupervisorClient : IAsyncDisposable
{
    private const string Peer = "the sandbox's supervisor";
    private const int MaxReplyBytes = 64 * 1024;

    private static readonly Empty Nothing = new();

    private readonly JsonRpcConnection _connection;

    private SupervisorClient(DuplexStream stream, string socketPath)
    {
        SocketPath = socketPath;
        var dispatcher = new JsonRpcDispatcher().Notification(SupervisorMethod.EventNotification, SupervisorJson.Default.SupervisorEvent, (e, _, _) =>
        {
            OnEvent?.Invoke(e);
            return default;
        });
        _connection = new JsonRpcConnection(stream, dispatcher);
    }

    /// <summary>Where it is connected to.</summary>
    public string SocketPath { get; }

    /// <summary>Called for every event after <see cref="SubscribeAsync"/>, on the reading loop: be quick.</summary>
    public Action<SupervisorEvent>? OnEvent { get; set; }

    /// <summary>Completes (never faults) when the connection has ended: the supervisor exited, or this was disposed.</summary>
    public Task Ended => _connection.Completed;

    /// <summary>Connects to a supervisor's socket.</summary>
    /// <param name="socketPath">Path of <c>supervisor.sock</c>.</param>
    /// <param name="onEvent">See <see cref="OnEvent"/>; given here, none is missed.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<SupervisorClient> ConnectAsync(string socketPath, Action<SupervisorEvent>? onEvent = null, CancellationToken cancellationToken = default)
    {
        var stream = await UnixSocketStream.ConnectAsync(socketPath, Peer, cancellationToken).ConfigureAwait(false);
        var client = new SupervisorClient(stream, socketPath) { OnEvent = onEvent };
        client._connection.Start();
        return client;
    }

    /// <summary>Opens a guest port as a raw stream, over a connection of its own.</summary>
    /// <param name="socketPath">Path of <c>supervisor.sock</c>.</param>
    /// <param name="port">Guest port.</param>
    /// <param name="ticket">One-time ticket; null for a peer with the supervisor's own uid.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<DuplexStream> OpenPortAsync(string socketPath, int port, string? ticket, CancellationToken cancellationToken)
    {
        var socket = await UnixSocketStream.ConnectAsync(socketPath, Peer, cancellationToken).ConfigureAwait(false);
        var lines = new LineStream(socket);
        try
        {
            await lines.WriteJsonLineAsync(new ConnectLine { Connect = port, Ticket = ticket }, SupervisorJson.Default.ConnectLine, cancellationToken).ConfigureAwait(false);
            await ReadConnectReplyAsync(lines, port, cancellationToken).ConfigureAwait(false);
            return lines.Buffered == 0 ? socket : lines;
        }
        catch
        {
            await lines.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Opens the exec port and starts a process (or joins one) in a single round trip: both lines go out together.
    /// </summary>
    /// <inheritdoc cref="OpenPortAsync(string, int, string?, CancellationToken)" path="/param"/>
    public static async Task<ExecClient> StartExecAsync(string socketPath, string? ticket, ExecRequest request, CancellationToken cancellationToken)
    {
        var socket = await UnixSocketStream.ConnectAsync(socketPath, Peer, cancellationToken).ConfigureAwait(false);
        var lines = new LineStream(socket);
        try
        {
            using (var both = JsonLine.Of(new ConnectLine { Connect = GuestPort.Exec, Ticket = ticket }, SupervisorJson.Default.ConnectLine))
            {
                both.Add(request, GuestJson.Default.ExecRequest);
                await socket.WriteAsync(both.Memory, cancellationToken).ConfigureAwait(false);
            }

            await ReadConnectReplyAsync(lines, GuestPort.Exec, cancellationToken).ConfigureAwait(false);
            return await ExecClient.ReadReplyAsync(lines, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await lines.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Opens a guest port of this sandbox as a raw stream, without a ticket.</summary>
    public Task<DuplexStream> OpenPortAsync(int port, CancellationToken cancellationToken) => OpenPortAsync(SocketPath, port, null, cancellationToken);

    /// <summary>Starts a process in this sandbox (or joins one) in a single round trip, without a ticket.</summary>
    public Task<ExecClient> StartExecAsync(ExecRequest request, CancellationToken cancellationToken) => StartExecAsync(SocketPath, null, request, cancellationToken);

    /// <summary><c>status</c>.</summary>
    public Task<SupervisorStatus> StatusAsync(CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Status, SupervisorJson.Default.SupervisorStatus, cancellationToken);

    /// <summary><c>info</c>.</summary>
    public Task<SupervisorInfo> InfoAsync(CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Info, SupervisorJson.Default.SupervisorInfo, cancellationToken);

    /// <summary><c>stop</c>: orderly, then forced at the deadline; answers when the sandbox has ended.</summary>
    public Task StopAsync(StopParams parameters, CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Stop, parameters, SupervisorJson.Default.StopParams, SupervisorJson.Default.Empty, cancellationToken);

    /// <summary><c>force_stop</c>.</summary>
    public Task ForceStopAsync(StopParams parameters, CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.ForceStop, parameters, SupervisorJson.Default.StopParams, SupervisorJson.Default.Empty, cancellationToken);

    /// <summary><c>pause</c>.</summary>
    public Task PauseAsync(CancellationToken cancellationToken) => CallAsync(SupervisorMethod.Pause, SupervisorJson.Default.Empty, cancellationToken);

    /// <summary><c>resume</c>.</summary>
    public Task ResumeAsync(CancellationToken cancellationToken) => CallAsync(SupervisorMethod.Resume, SupervisorJson.Default.Empty, cancellationToken);

    /// <summary><c>ticket</c>.</summary>
    public Task<TicketReply> TicketAsync(TicketParams parameters, CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Ticket, parameters, SupervisorJson.Default.TicketParams, SupervisorJson.Default.TicketReply, cancellationToken);

    /// <summary><c>stats</c>.</summary>
    public Task<SandboxUsage> StatsAsync(CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Stats, SupervisorJson.Default.SandboxUsage, cancellationToken);

    /// <summary><c>launch</c>.</summary>
    public Task<LaunchReply> LaunchAsync(LaunchParams parameters, CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Launch, parameters, SupervisorJson.Default.LaunchParams, SupervisorJson.Default.LaunchReply, cancellationToken);

    /// <summary><c>processes</c>.</summary>
    public Task<ProcessesPayload> ProcessesAsync(CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Processes, SupervisorJson.Default.ProcessesPayload, cancellationToken);

    /// <summary><c>kill_process</c>.</summary>
    public Task KillProcessAsync(KillProcessPayload parameters, CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.KillProcess, parameters, SupervisorJson.Default.KillProcessPayload, SupervisorJson.Default.Empty, cancellationToken);

    /// <summary><c>secrets</c>.</summary>
    public Task PutSecretsAsync(SecretsParams parameters, CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Secrets, parameters, SupervisorJson.Default.SecretsParams, SupervisorJson.Default.Empty, cancellationToken);

    /// <summary><c>publish</c>.</summary>
    public Task<PublishedPort> PublishAsync(PublishedPort port, CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Publish, port, SupervisorJson.Default.PublishedPort, SupervisorJson.Default.PublishedPort, cancellationToken);

    /// <summary><c>unpublish</c>.</summary>
    public Task UnpublishAsync(PublishedPort port, CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Unpublish, port, SupervisorJson.Default.PublishedPort, SupervisorJson.Default.Empty, cancellationToken);

    /// <summary><c>ports</c>.</summary>
    public Task<PublishedPortsReply> PortsAsync(CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Ports, SupervisorJson.Default.PublishedPortsReply, cancellationToken);

    /// <summary><c>listeners</c>.</summary>
    public Task<ListenersPayload> ListenersAsync(CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Listeners, SupervisorJson.Default.ListenersPayload, cancellationToken);

    /// <summary><c>freeze</c>.</summary>
    public Task FreezeAsync(FreezeParams parameters, CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Freeze, parameters, SupervisorJson.Default.FreezeParams, SupervisorJson.Default.Empty, cancellationToken);

    /// <summary><c>checkpoint</c>: answers when the sandbox has ended.</summary>
    public Task CheckpointAsync(CheckpointParams parameters, CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Checkpoint, parameters, SupervisorJson.Default.CheckpointParams, SupervisorJson.Default.Empty, cancellationToken);

    /// <summary><c>thaw</c>.</summary>
    public Task<ThawReply> ThawAsync(CancellationToken cancellationToken) => CallAsync(SupervisorMethod.Thaw, SupervisorJson.Default.ThawReply, cancellationToken);

    /// <summary><c>adopt</c>.</summary>
    public Task AdoptAsync(AdoptParams parameters, CancellationToken cancellationToken) =>
        CallAsync(SupervisorMethod.Adopt, parameters, SupervisorJson.Default.AdoptParams, SupervisorJson.Default.Empty, cancellationToken);

    /// <summary><c>events</c>: <see cref="OnEvent"/> is called from now on.</summary>
    public Task SubscribeAsync(CancellationToken cancellationToken) => CallAsync(SupervisorMethod.Events, SupervisorJson.Default.Empty, cancellationToken);

    /// <summary>Any method, for those without a typed one here.</summary>
    public Task<TResult> CallAsync<TParams, TResult>(
        string method, TParams parameters, JsonTypeInfo<TParams> parametersType, JsonTypeInfo<TResult> resultType, CancellationToken cancellationToken) =>
        _connection.RequestAsync(method, parameters, parametersType, resultType, cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private static async ValueTask ReadConnectReplyAsync(LineStream lines, int port, CancellationToken cancellationToken)
    {
        var reply = await lines.ReadJsonLineAsync(JsonTypes.Tolerant(SupervisorJson.Default.ConnectReply), MaxReplyBytes, cancellationToken).ConfigureAwait(false);
        if (!reply.Ok)
            throw reply.Error is { } error ? VivariumException.From(error) : new VivariumException(ErrorCode.Unavailable, $"the supervisor refused guest port {port}");
    }

    private Task<TResult> CallAsync<TResult>(string method, JsonTypeInfo<TResult> resultType, CancellationToken cancellationToken) =>
        _connection.RequestAsync(method, Nothing, SupervisorJson.Default.Empty, resultType, cancellationToken);
}
