using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Sandboxes;

/// <summary>Which operation is allowed from which state, and how a refusal reads. The table of the design in code.</summary>
/// <param name="Verb">For messages: "stopping".</param>
/// <param name="From">States it is allowed in; empty: all.</param>
/// <param name="Hint">What to do when refused.</param>
internal sealed record GateRules(string Verb, IReadOnlyList<string> From, string Hint)
{
    public static readonly GateRules Start = new("starting", [SandboxState.Stopped, SandboxState.Failed], "Only a stopped or failed sandbox can be started.");

    public static readonly GateRules Stop = new("stopping", [SandboxState.Running, SandboxState.Paused], "Only a running or paused sandbox can be stopped.");

    public static readonly GateRules Restart = new(
        "restarting", [SandboxState.Running, SandboxState.Paused, SandboxState.Stopped, SandboxState.Failed], "Wait until the sandbox has settled.");

    public static readonly GateRules Pause = new("pausing", [SandboxState.Running], "Only a running sandbox can be paused.");

    public static readonly GateRules Resume = new("resuming", [SandboxState.Paused], "Only a paused sandbox can be resumed.");

    public static readonly GateRules Snapshot = new(
        "taking a snapshot of", [SandboxState.Running, SandboxState.Paused, SandboxState.Stopped, SandboxState.Failed], "Wait until the sandbox has settled.");

    public static readonly GateRules Turn = new("completing a turn of", [SandboxState.Running], "Only a running sandbox completes turns.");

    public static readonly GateRules Rollback = new(
        "rolling back", [SandboxState.Running, SandboxState.Paused, SandboxState.Stopped, SandboxState.Failed], "Wait until the sandbox has settled.");

    public static readonly GateRules Fork = new(
        "forking", [SandboxState.Running, SandboxState.Paused, SandboxState.Stopped, SandboxState.Failed], "Wait until the sandbox has settled.");

    public static readonly GateRules ChangeSnapshots = new("changing the snapshots of", [], string.Empty);

    public static readonly GateRules SetTimeout = new(
        "setting the timeout of", [SandboxState.Running, SandboxState.Paused, SandboxState.Stopped], "The sandbox has failed or is changing; look at its state.");

    public static readonly GateRules PublishPort = new(
        "publishing a port of",
        [SandboxState.Running, SandboxState.Paused, SandboxState.Stopped, SandboxState.Failed],
        "Wait until the sandbox has settled.");

    public static readonly GateRules UnpublishPort = PublishPort with { Verb = "unpublishing a port of" };

    public static readonly GateRules Set = new(
        "changing", [SandboxState.Running, SandboxState.Paused, SandboxState.Stopped, SandboxState.Failed], "Wait until the sandbox has settled.");

    public static readonly GateRules SetNetwork = new(
        "setting the network of", [SandboxState.Running, SandboxState.Paused, SandboxState.Stopped, SandboxState.Failed], "The sandbox is changing; look at its state.");

    /// <summary>Tools are no operations; this only says how their refusal reads.</summary>
    public static readonly GateRules ToolDoor = new("calling a tool in", [SandboxState.Running], "Only a running sandbox runs tools.");

    /// <summary>The same of launches.</summary>
    public static readonly GateRules LaunchDoor = new("starting a process in", [SandboxState.Running], "Only a running sandbox starts processes.");

    public static readonly GateRules Create = new("creating", [SandboxState.Creating], string.Empty);

    public static readonly GateRules Reattach = new("re-attaching", [], string.Empty);

    public static readonly GateRules Release = new("releasing what is left of", [SandboxState.Stopped, SandboxState.Failed], string.Empty);

    public static readonly GateRules Collect = new("collecting", [], string.Empty);

    public static readonly GateRules Destroy = new("destroying", [], string.Empty);

    /// <summary>The error for a sandbox in the wrong state.</summary>
    public VivariumException WrongState(SandboxRecord record) => new(
        ErrorCode.FailedPrecondition,
        $"{Verb} sandbox {record.Name}: it is {record.State}" + (record.Reason is null ? string.Empty : $" ({record.Reason})"),
        Hint,
        record.State switch
        {
            SandboxState.Running => "already_running",
            SandboxState.Stopped => "already_stopped",
            SandboxState.Paused => "already_paused",
            _ => "wrong_state",
        });

    /// <summary>The error while another operation holds the gate.</summary>
    public VivariumException Busy(SandboxRecord record, GateRules other) => new(
        ErrorCode.FailedPrecondition,
        $"{Verb} sandbox {record.Name}: another operation ({other.Verb} it) is still running",
        "Try again when it has ended; destroying is always possible.",
        "operation_in_progress");

    /// <summary>The error when the sandbox goes away meanwhile.</summary>
    public VivariumException Gone(SandboxRecord record) => new(
        ErrorCode.FailedPrecondition, $"{Verb} sandbox {record.Name}: it is being destroyed", null, "destroying");
}
