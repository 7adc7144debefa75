namespace Vivarium.Wire.Host;

/// <summary>
/// Methods of the daemon's JSON-RPC 2.0 API on <c>vivd.sock</c> (newline-delimited). Parameters and results are the records of this folder.
/// Long calls send <c>progress</c> notifications (<see cref="OperationEvent"/>) to the connection that made them while it waits; ending that connection
/// never ends the work. <c>$/cancelRequest {id}</c> stops waiting; <c>operation.cancel</c> stops the work.
/// </summary>
public static class HostMethod
{
#pragma warning disable CS1591
    /// <summary>() → <see cref="VersionReply"/>.</summary>
    public const string Version = "system.version";
    /// <summary>() → <see cref="SystemInfo"/>.</summary>
    public const string Info = "system.info";
    /// <summary>() → <see cref="HealthReply"/>.</summary>
    public const string Health = "system.health";
    /// <summary>() → <see cref="DoctorReply"/>.</summary>
    public const string Doctor = "system.doctor";
    /// <summary>() → <see cref="ConfigReply"/>.</summary>
    public const string Config = "system.config";
    /// <summary><see cref="ShutdownParams"/> → Empty; the daemon stops, sandboxes go on.</summary>
    public const string Shutdown = "system.shutdown";

    /// <summary><see cref="CreateParams"/> → <see cref="SandboxInfo"/>, when it runs.</summary>
    public const string Create = "sandbox.create";
    /// <summary><see cref="CreateParams"/> → <see cref="BeginReply"/>, at once.</summary>
    public const string BeginCreate = "sandbox.begin_create";
    /// <summary><see cref="ListParams"/> → <see cref="SandboxList"/>.</summary>
    public const string List = "sandbox.list";
    /// <summary><see cref="RefParams"/> → <see cref="SandboxInfo"/>.</summary>
    public const string Get = "sandbox.get";
    /// <summary><see cref="DestroyParams"/> → Empty. Idempotent; not_found only if never known.</summary>
    public const string Destroy = "sandbox.destroy";
    /// <summary><see cref="PruneParams"/> → <see cref="PruneReply"/>.</summary>
    public const string Prune = "sandbox.prune";
    /// <summary><see cref="StopSandboxParams"/> → <see cref="SandboxInfo"/>. The volume stays.</summary>
    public const string Stop = "sandbox.stop";
    /// <summary><see cref="RefParams"/> → <see cref="SandboxInfo"/>.</summary>
    public const string Start = "sandbox.start";
    /// <summary><see cref="StopSandboxParams"/> → <see cref="SandboxInfo"/>.</summary>
    public const string Restart = "sandbox.restart";
    /// <summary><see cref="PauseParams"/> → <see cref="SandboxInfo"/>.</summary>
    public const string Pause = "sandbox.pause";
    /// <summary><see cref="RefParams"/> → <see cref="SandboxInfo"/>.</summary>
    public const string Resume = "sandbox.resume";
    /// <summary><see cref="RefParams"/> → SandboxUsage.</summary>
    public const string Stats = "sandbox.stats";
    /// <summary><see cref="SandboxTicketParams"/> → <see cref="SandboxTicket"/>: open a guest port at the supervisor directly.</summary>
    public const string Ticket = "sandbox.ticket";
    /// <summary><see cref="SetParams"/> → <see cref="SetReply"/>.</summary>
    public const string Set = "sandbox.set";
    /// <summary><see cref="SetTimeoutParams"/> → <see cref="SandboxInfo"/>.</summary>
    public const string SetTimeout = "sandbox.set_timeout";
    /// <summary><see cref="SetNetworkParams"/> → <see cref="SetNetworkReply"/>: network mode and policy; the policy holds at once.</summary>
    public const string SetNetwork = "sandbox.set_network";

    /// <summary><see cref="PortParams"/> → PublishedPort with the host port that was taken. Again for the same is the same.</summary>
    public const string PublishPort = "port.publish";
    /// <summary><see cref="PortParams"/> → Empty; not_found when it is not published.</summary>
    public const string UnpublishPort = "port.unpublish";
    /// <summary><see cref="RefParams"/> → <see cref="SandboxPorts"/>: listeners inside and what is published.</summary>
    public const string Ports = "port.list";

    /// <summary><see cref="RollbackParams"/> → <see cref="SandboxInfo"/>.</summary>
    public const string Rollback = "sandbox.rollback";
    /// <summary><see cref="ForkParams"/> → <see cref="SandboxList"/>: the forks, when all run.</summary>
    public const string Fork = "sandbox.fork";
    /// <summary><see cref="DiffParams"/> → <see cref="DiffReply"/>.</summary>
    public const string Diff = "sandbox.diff";

    /// <summary><see cref="SnapshotParams"/> → <see cref="SnapshotInfo"/>.</summary>
    public const string SnapshotCreate = "snapshot.create";
    /// <summary><see cref="SnapshotListParams"/> → <see cref="SnapshotList"/>.</summary>
    public const string SnapshotList = "snapshot.list";
    /// <summary><see cref="SnapshotRefParams"/> → <see cref="SnapshotInfo"/>.</summary>
    public const string SnapshotGet = "snapshot.get";
    /// <summary><see cref="RenameSnapshotParams"/> → <see cref="SnapshotInfo"/>.</summary>
    public const string SnapshotRename = "snapshot.rename";
    /// <summary><see cref="HoldSnapshotParams"/> → <see cref="SnapshotInfo"/>.</summary>
    public const string SnapshotHold = "snapshot.hold";
    /// <summary><see cref="SnapshotRefParams"/> → Empty. Refused while it is held; the snapshots that come from it stay.</summary>
    public const string SnapshotDelete = "snapshot.delete";
    /// <summary><see cref="TurnParams"/> → <see cref="SnapshotInfo"/>. Two at once are done one after the other.</summary>
    public const string TurnComplete = "turn.complete";

    /// <summary><see cref="RunParams"/> → <see cref="RunReply"/>: run to the end, output returned.</summary>
    public const string Exec = "process.exec";
    /// <summary><see cref="LaunchProcessParams"/> → <see cref="ProcessInfo"/>: start in the background, logged.</summary>
    public const string Launch = "process.launch";
    /// <summary><see cref="RefParams"/> → <see cref="ProcessList"/>.</summary>
    public const string Processes = "process.list";
    /// <summary><see cref="ProcessParams"/> → <see cref="ProcessInfo"/>, of a launched process.</summary>
    public const string ProcessStatus = "process.status";
    /// <summary><see cref="ProcessParams"/> → <see cref="ProcessInfo"/>, when it has ended or the time to wait is over.</summary>
    public const string ProcessWait = "process.wait";
    /// <summary><see cref="KillParams"/> → Empty: a signal to the process and all that came from it.</summary>
    public const string Kill = "process.kill";
    /// <summary><see cref="KillParams"/> → Empty: a signal to the process.</summary>
    public const string Signal = "process.signal";
    /// <summary><see cref="LogsParams"/> → <see cref="LogsReply"/>: where the log files are and their content from an offset.</summary>
    public const string Logs = "process.logs";

    /// <summary>() → <see cref="Wire.Host.ToolList"/>: the tools with their schemas.</summary>
    public const string ToolList = "tool.list";
    /// <summary><see cref="ToolParams"/> → <see cref="ToolReply"/>, when it has ended; <c>tool.progress</c> notifications meanwhile when asked for. It goes on when the caller leaves.</summary>
    public const string ToolCall = "tool.call";

    /// <summary>() → <see cref="TemplateList"/>.</summary>
    public const string TemplateList = "template.list";
    /// <summary><see cref="RefParams"/> → <see cref="TemplateInfo"/>.</summary>
    public const string TemplateGet = "template.get";
    /// <summary><see cref="BuildParams"/> → <see cref="TemplateInfo"/>, when built.</summary>
    public const string TemplateBuild = "template.build";
    /// <summary><see cref="BuildParams"/> → <see cref="BeginReply"/>.</summary>
    public const string BeginTemplateBuild = "template.begin_build";
    /// <summary><see cref="RemoveTemplateParams"/> → Empty; refused while sandboxes use it.</summary>
    public const string TemplateRemove = "template.remove";
    /// <summary><see cref="ImportParams"/> → <see cref="ImportReply"/>, when imported.</summary>
    public const string TemplateImport = "template.import";
    /// <summary><see cref="ImportParams"/> → <see cref="BeginReply"/>.</summary>
    public const string BeginTemplateImport = "template.begin_import";
    /// <summary><see cref="ExportParams"/> → <see cref="ExportReply"/>, when written.</summary>
    public const string TemplateExport = "template.export";
    /// <summary><see cref="ExportParams"/> → <see cref="BeginReply"/>.</summary>
    public const string BeginTemplateExport = "template.begin_export";
    /// <summary><see cref="TagParams"/> → <see cref="TemplateInfo"/>: a further name.</summary>
    public const string TemplateTag = "template.tag";

    /// <summary>() → <see cref="PoolInfo"/>.</summary>
    public const string Pool = "pool.show";
    /// <summary><see cref="PoolGrowParams"/> → <see cref="PoolInfo"/>.</summary>
    public const string PoolGrow = "pool.grow";
    /// <summary>() → <see cref="PoolCheckReply"/>, when everything has been read; minutes on a large pool.</summary>
    public const string PoolCheck = "pool.check";

    /// <summary>() → <see cref="OperationList"/>.</summary>
    public const string Operations = "operation.list";
    /// <summary><see cref="OperationParams"/> → <see cref="OperationInfo"/>.</summary>
    public const string OperationStatus = "operation.status";
    /// <summary><see cref="OperationParams"/> → <see cref="OperationInfo"/>, when it has ended; progress notifications meanwhile.</summary>
    public const string OperationWait = "operation.wait";
    /// <summary><see cref="OperationParams"/> → <see cref="OperationInfo"/>.</summary>
    public const string OperationCancel = "operation.cancel";

    /// <summary><see cref="SubscribeParams"/> → Empty, then <c>event</c> notifications (<see cref="HostEvent"/>).</summary>
    public const string Events = "events.subscribe";

    /// <summary>Notification names.</summary>
    public const string EventNotification = "event";
    public const string ProgressNotification = "progress";
    public const string ToolProgressNotification = "tool.progress";
#pragma warning restore CS1591
}
