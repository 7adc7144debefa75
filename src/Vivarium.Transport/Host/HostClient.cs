using System.Text.Json.Serialization.Metadata;
using Vivarium.Transport.JsonRpc;
using Vivarium.Transport.Supervisor;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Transport.Host;

/// <summary>A connection to the daemon. Methods throw what the daemon answers, or unavailable when it is gone.</summary>
public sealed class HostClient : IAsyncDisposable
{
    private static readonly Empty Nothing = new();
    private static readonly HostJson Json = HostJson.Default;

    /// <summary>An answer to <c>process.exec</c> may hold twice 10 MiB in base64, one to <c>tool.call</c> twice 10 MiB of text that JSON makes six times as long.</summary>
    private static readonly JsonRpcOptions Options = new() { MaxMessageBytes = 160 * 1024 * 1024 };

    private readonly JsonRpcConnection _connection;

    private HostClient(DuplexStream stream, Action<OperationEvent>? onProgress, Action<HostEvent>? onEvent)
    {
        OnProgress = onProgress;
        OnEvent = onEvent;
        var dispatcher = new JsonRpcDispatcher()
            .Notification(HostMethod.ProgressNotification, Json.OperationEvent, (e, _, _) =>
            {
                OnProgress?.Invoke(e);
                return default;
            })
            .Notification(HostMethod.EventNotification, Json.HostEvent, (e, _, _) =>
            {
                OnEvent?.Invoke(e);
                return default;
            });
        dispatcher.Notification(HostMethod.ToolProgressNotification, Json.ToolProgress, (e, _, _) =>
        {
            OnToolProgress?.Invoke(e);
            return default;
        });
        _connection = new JsonRpcConnection(stream, dispatcher, Options);
    }

    /// <summary>Called with the progress of long calls, on the reading loop: be quick.</summary>
    public Action<OperationEvent>? OnProgress { get; set; }

    /// <summary>Called for every event after <see cref="SubscribeAsync"/>, on the reading loop: be quick.</summary>
    public Action<HostEvent>? OnEvent { get; set; }

    /// <summary>Called with the output of tools that are called with <see cref="ToolParams.Stream"/>, on the reading loop: be quick.</summary>
    public Action<ToolProgress>? OnToolProgress { get; set; }

    /// <summary>Completes (never faults) when the connection has ended.</summary>
    public Task Ended => _connection.Completed;

    /// <summary>Connects to the daemon's socket.</summary>
    public static async Task<HostClient> ConnectAsync(
        string socketPath, Action<OperationEvent>? onProgress = null, Action<HostEvent>? onEvent = null, CancellationToken cancellationToken = default) =>
        Over(await UnixSocketStream.ConnectAsync(socketPath, "the daemon", cancellationToken).ConfigureAwait(false), onProgress, onEvent);

    /// <summary>Speaks to a daemon over any stream (owned from now on).</summary>
    public static HostClient Over(DuplexStream stream, Action<OperationEvent>? onProgress = null, Action<HostEvent>? onEvent = null)
    {
        var client = new HostClient(stream, onProgress, onEvent);
        client._connection.Start();
        return client;
    }

#pragma warning disable CS1591 // One line each; HostMethod says what every method does.
    public Task<VersionReply> VersionAsync(CancellationToken ct) => CallAsync(HostMethod.Version, Json.VersionReply, ct);

    public Task<SystemInfo> InfoAsync(CancellationToken ct) => CallAsync(HostMethod.Info, Json.SystemInfo, ct);

    public Task<HealthReply> HealthAsync(CancellationToken ct) => CallAsync(HostMethod.Health, Json.HealthReply, ct);

    public Task<DoctorReply> DoctorAsync(CancellationToken ct) => CallAsync(HostMethod.Doctor, Json.DoctorReply, ct);

    public Task<ConfigReply> ConfigAsync(CancellationToken ct) => CallAsync(HostMethod.Config, Json.ConfigReply, ct);

    public Task ShutdownAsync(ShutdownParams p, CancellationToken ct) => CallAsync(HostMethod.Shutdown, p, Json.ShutdownParams, Json.Empty, ct);

    public Task<SandboxInfo> CreateAsync(CreateParams p, CancellationToken ct) => CallAsync(HostMethod.Create, p, Json.CreateParams, Json.SandboxInfo, ct);

    public Task<BeginReply> BeginCreateAsync(CreateParams p, CancellationToken ct) => CallAsync(HostMethod.BeginCreate, p, Json.CreateParams, Json.BeginReply, ct);

    public Task<SandboxList> ListAsync(ListParams p, CancellationToken ct) => CallAsync(HostMethod.List, p, Json.ListParams, Json.SandboxList, ct);

    public Task<SandboxInfo> GetAsync(string reference, CancellationToken ct) => CallAsync(HostMethod.Get, Ref(reference), Json.RefParams, Json.SandboxInfo, ct);

    public Task DestroyAsync(DestroyParams p, CancellationToken ct) => CallAsync(HostMethod.Destroy, p, Json.DestroyParams, Json.Empty, ct);

    public Task<PruneReply> PruneAsync(PruneParams p, CancellationToken ct) => CallAsync(HostMethod.Prune, p, Json.PruneParams, Json.PruneReply, ct);

    public Task<SandboxInfo> StopAsync(StopSandboxParams p, CancellationToken ct) => CallAsync(HostMethod.Stop, p, Json.StopSandboxParams, Json.SandboxInfo, ct);

    public Task<SandboxInfo> StartAsync(string reference, CancellationToken ct) => CallAsync(HostMethod.Start, Ref(reference), Json.RefParams, Json.SandboxInfo, ct);

    public Task<SandboxInfo> RestartAsync(StopSandboxParams p, CancellationToken ct) => CallAsync(HostMethod.Restart, p, Json.StopSandboxParams, Json.SandboxInfo, ct);

    public Task<SetNetworkReply> SetNetworkAsync(SetNetworkParams p, CancellationToken ct) => CallAsync(HostMethod.SetNetwork, p, Json.SetNetworkParams, Json.SetNetworkReply, ct);

    public Task<SandboxInfo> PauseAsync(string reference, CancellationToken ct) => PauseAsync(new PauseParams { Ref = reference }, ct);

    public Task<SandboxInfo> PauseAsync(PauseParams p, CancellationToken ct) => CallAsync(HostMethod.Pause, p, Json.PauseParams, Json.SandboxInfo, ct);

    public Task<SnapshotInfo> SnapshotAsync(SnapshotParams p, CancellationToken ct) => CallAsync(HostMethod.SnapshotCreate, p, Json.SnapshotParams, Json.SnapshotInfo, ct);

    public Task<SnapshotInfo> CompleteTurnAsync(TurnParams p, CancellationToken ct) => CallAsync(HostMethod.TurnComplete, p, Json.TurnParams, Json.SnapshotInfo, ct);

    public Task<SnapshotList> SnapshotsAsync(SnapshotListParams p, CancellationToken ct) => CallAsync(HostMethod.SnapshotList, p, Json.SnapshotListParams, Json.SnapshotList, ct);

    public Task<SnapshotInfo> SnapshotInfoAsync(SnapshotRefParams p, CancellationToken ct) => CallAsync(HostMethod.SnapshotGet, p, Json.SnapshotRefParams, Json.SnapshotInfo, ct);

    public Task<SnapshotInfo> RenameSnapshotAsync(RenameSnapshotParams p, CancellationToken ct) => CallAsync(HostMethod.SnapshotRename, p, Json.RenameSnapshotParams, Json.SnapshotInfo, ct);

    public Task<SnapshotInfo> HoldSnapshotAsync(HoldSnapshotParams p, CancellationToken ct) => CallAsync(HostMethod.SnapshotHold, p, Json.HoldSnapshotParams, Json.SnapshotInfo, ct);

    public Task DeleteSnapshotAsync(SnapshotRefParams p, CancellationToken ct) => CallAsync(HostMethod.SnapshotDelete, p, Json.SnapshotRefParams, Json.Empty, ct);

    public Task<SandboxInfo> RollBackAsync(RollbackParams p, CancellationToken ct) => CallAsync(HostMethod.Rollback, p, Json.RollbackParams, Json.SandboxInfo, ct);

    public Task<SandboxList> ForkAsync(ForkParams p, CancellationToken ct) => CallAsync(HostMethod.Fork, p, Json.ForkParams, Json.SandboxList, ct);

    public Task<DiffReply> DiffAsync(DiffParams p, CancellationToken ct) => CallAsync(HostMethod.Diff, p, Json.DiffParams, Json.DiffReply, ct);

    public Task<SandboxInfo> ResumeAsync(string reference, CancellationToken ct) => CallAsync(HostMethod.Resume, Ref(reference), Json.RefParams, Json.SandboxInfo, ct);

    public Task<SandboxUsage> StatsAsync(string reference, CancellationToken ct) => CallAsync(HostMethod.Stats, Ref(reference), Json.RefParams, Json.SandboxUsage, ct);

    public Task<SandboxTicket> TicketAsync(SandboxTicketParams p, CancellationToken ct) => CallAsync(HostMethod.Ticket, p, Json.SandboxTicketParams, Json.SandboxTicket, ct);

    public Task<SandboxInfo> SetTimeoutAsync(SetTimeoutParams p, CancellationToken ct) => CallAsync(HostMethod.SetTimeout, p, Json.SetTimeoutParams, Json.SandboxInfo, ct);

    public Task<SetReply> SetAsync(SetParams p, CancellationToken ct) => CallAsync(HostMethod.Set, p, Json.SetParams, Json.SetReply, ct);

    public Task<PoolInfo> PoolAsync(CancellationToken ct) => CallAsync(HostMethod.Pool, Json.PoolInfo, ct);

    public Task<PoolInfo> GrowPoolAsync(PoolGrowParams p, CancellationToken ct) => CallAsync(HostMethod.PoolGrow, p, Json.PoolGrowParams, Json.PoolInfo, ct);

    public Task<PoolCheckReply> CheckPoolAsync(CancellationToken ct) => CallAsync(HostMethod.PoolCheck, Json.PoolCheckReply, ct);

    public Task<RunReply> ExecAsync(RunParams p, CancellationToken ct) => CallAsync(HostMethod.Exec, p, Json.RunParams, Json.RunReply, ct);

    public Task<ProcessInfo> LaunchAsync(LaunchProcessParams p, CancellationToken ct) => CallAsync(HostMethod.Launch, p, Json.LaunchProcessParams, Json.ProcessInfo, ct);

    public Task<ProcessList> ProcessesAsync(string reference, CancellationToken ct) => CallAsync(HostMethod.Processes, Ref(reference), Json.RefParams, Json.ProcessList, ct);

    public Task<ProcessInfo> ProcessAsync(ProcessParams p, CancellationToken ct) => CallAsync(HostMethod.ProcessStatus, p, Json.ProcessParams, Json.ProcessInfo, ct);

    public Task<ProcessInfo> WaitProcessAsync(ProcessParams p, CancellationToken ct) => CallAsync(HostMethod.ProcessWait, p, Json.ProcessParams, Json.ProcessInfo, ct);

    public Task SignalAsync(KillParams p, CancellationToken ct) => CallAsync(HostMethod.Signal, p, Json.KillParams, Json.Empty, ct);

    public Task KillAsync(KillParams p, CancellationToken ct) => CallAsync(HostMethod.Kill, p, Json.KillParams, Json.Empty, ct);

    public Task<LogsReply> LogsAsync(LogsParams p, CancellationToken ct) => CallAsync(HostMethod.Logs, p, Json.LogsParams, Json.LogsReply, ct);

    public Task<ToolList> ToolsAsync(CancellationToken ct) => CallAsync(HostMethod.ToolList, Json.ToolList, ct);

    public Task<ToolReply> CallToolAsync(ToolParams p, CancellationToken ct) => CallAsync(HostMethod.ToolCall, p, Json.ToolParams, Json.ToolReply, ct);

    public Task<TemplateList> TemplatesAsync(CancellationToken ct) => CallAsync(HostMethod.TemplateList, Json.TemplateList, ct);

    public Task<TemplateInfo> TemplateAsync(string reference, CancellationToken ct) => CallAsync(HostMethod.TemplateGet, Ref(reference), Json.RefParams, Json.TemplateInfo, ct);

    public Task<TemplateInfo> BuildTemplateAsync(BuildParams p, CancellationToken ct) => CallAsync(HostMethod.TemplateBuild, p, Json.BuildParams, Json.TemplateInfo, ct);

    public Task<BeginReply> BeginBuildTemplateAsync(BuildParams p, CancellationToken ct) => CallAsync(HostMethod.BeginTemplateBuild, p, Json.BuildParams, Json.BeginReply, ct);

    public Task<ImportReply> ImportTemplateAsync(ImportParams p, CancellationToken ct) => CallAsync(HostMethod.TemplateImport, p, Json.ImportParams, Json.ImportReply, ct);

    public Task<BeginReply> BeginImportTemplateAsync(ImportParams p, CancellationToken ct) => CallAsync(HostMethod.BeginTemplateImport, p, Json.ImportParams, Json.BeginReply, ct);

    public Task<ExportReply> ExportTemplateAsync(ExportParams p, CancellationToken ct) => CallAsync(HostMethod.TemplateExport, p, Json.ExportParams, Json.ExportReply, ct);

    public Task<BeginReply> BeginExportTemplateAsync(ExportParams p, CancellationToken ct) => CallAsync(HostMethod.BeginTemplateExport, p, Json.ExportParams, Json.BeginReply, ct);

    public Task<TemplateInfo> TagTemplateAsync(TagParams p, CancellationToken ct) => CallAsync(HostMethod.TemplateTag, p, Json.TagParams, Json.TemplateInfo, ct);

    public Task RemoveTemplateAsync(RemoveTemplateParams p, CancellationToken ct) => CallAsync(HostMethod.TemplateRemove, p, Json.RemoveTemplateParams, Json.Empty, ct);

    public Task<OperationList> OperationsAsync(CancellationToken ct) => CallAsync(HostMethod.Operations, Json.OperationList, ct);

    public Task<OperationInfo> OperationAsync(OperationParams p, CancellationToken ct) => CallAsync(HostMethod.OperationStatus, p, Json.OperationParams, Json.OperationInfo, ct);

    public Task<OperationInfo> WaitOperationAsync(OperationParams p, CancellationToken ct) => CallAsync(HostMethod.OperationWait, p, Json.OperationParams, Json.OperationInfo, ct);

    public Task<OperationInfo> CancelOperationAsync(OperationParams p, CancellationToken ct) => CallAsync(HostMethod.OperationCancel, p, Json.OperationParams, Json.OperationInfo, ct);

    public Task SubscribeAsync(SubscribeParams p, CancellationToken ct) => CallAsync(HostMethod.Events, p, Json.SubscribeParams, Json.Empty, ct);
#pragma warning restore CS1591

    /// <summary>Opens a guest port of a sandbox: a ticket from the daemon, then a raw stream from the supervisor, which outlives the daemon.</summary>
    public async Task<DuplexStream> OpenPortAsync(string reference, int port, CancellationToken cancellationToken)
    {
        var ticket = await TicketAsync(new SandboxTicketParams { Ref = reference, Port = port }, cancellationToken).ConfigureAwait(false);
        return await SupervisorClient.OpenPortAsync(ticket.Socket, port, ticket.Ticket, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Any method, for those without a typed one here.</summary>
    public Task<TResult> CallAsync<TParams, TResult>(
        string method, TParams parameters, JsonTypeInfo<TParams> parametersType, JsonTypeInfo<TResult> resultType, CancellationToken cancellationToken) =>
        _connection.RequestAsync(method, parameters, parametersType, resultType, cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private static RefParams Ref(string reference) => new() { Ref = reference };

    private Task<TResult> CallAsync<TResult>(string method, JsonTypeInfo<TResult> resultType, CancellationToken cancellationToken) =>
        _connection.RequestAsync(method, Nothing, Json.Empty, resultType, cancellationToken);
}
