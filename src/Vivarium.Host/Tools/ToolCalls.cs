using System.Security.Cryptography;
using System.Text;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Supervision;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tools;

/// <summary>
/// <c>tool.call</c>: checks, runs and answers. A call that has begun is the sandbox's: it goes on when the caller leaves, and a caller that comes back with the same call id
/// gets its answer.
/// </summary>
internal sealed class ToolCalls(HostServices host, SandboxAccess access)
{
    private const int MaxCallId = 256;

    private readonly ToolList list = ToolCatalog.List;
    private readonly ToolMemory memory = new(host.Time);
    private readonly ToolSnapshots snapshots = new(host, access.Workflows);

    /// <summary>The tools with their schemas.</summary>
    public ToolList List() => list;

    /// <summary>Calls a tool.</summary>
    /// <param name="parameters">Which, where, with what.</param>
    /// <param name="progress">Takes output while it comes; must be quick.</param>
    /// <param name="cancellationToken">Stops waiting; the tool goes on.</param>
    /// <exception cref="VivariumException">What kept it from running or from being seen to its end.</exception>
    public async Task<ToolReply> CallAsync(ToolParams parameters, Action<ToolProgress>? progress, CancellationToken cancellationToken)
    {
        var tool = ToolCatalog.Get(parameters.Name);
        var arguments = ToolSchema.Check(tool, parameters.Arguments);
        ToolTimes.Check(tool, arguments, host.Config.Tools);
        CheckId(tool, parameters.CallId);
        var sandbox = await access.GetAsync(parameters.Ref, cancellationToken).ConfigureAwait(false);
        if (parameters.CallId is null)
        {
            // Not the caller's token: what has begun is the sandbox's.
            return (await Task.Run(() => RunAsync(sandbox, tool, arguments, null, progress ?? (static _ => { })), CancellationToken.None).WaitAsync(cancellationToken).ConfigureAwait(false)).Reply;
        }

        var (flight, isNew) = memory.Begin(sandbox.Record.Id, sandbox.Tools.Generation, parameters);
        using (flight.Listen(progress))
        {
            if (isNew)
            {
                _ = Task.Run(() => FlyAsync(flight, sandbox, tool, arguments, parameters), CancellationToken.None);
            }

            var reply = await flight.Answer.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            return isNew ? reply : reply with { Repeated = true };
        }
    }

    private static void CheckId(Tool tool, string? id)
    {
        if (id is not null && (id.Length is < 1 or > MaxCallId || id.Any(char.IsControl)))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"calling tool {tool.Name}: the call id is malformed", $"Use 1 to {MaxCallId} characters and no control characters.", "bad_call_id");
        }
    }

    /// <summary>The name of a call's process in the guest: a daemon that starts while it runs finds it by that.</summary>
    private static string Tag(ToolParams call) =>
        $"tool-{call.Name}-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{call.CallId}\0{call.Arguments?.GetRawText()}")))[..32];

    private async Task FlyAsync(ToolMemory.Flight flight, Sandbox sandbox, Tool tool, ToolArguments arguments, ToolParams call)
    {
        try
        {
            var (reply, started) = await RunAsync(sandbox, tool, arguments, call, flight.Pass).ConfigureAwait(false);
            memory.End(flight, reply, keep: started);
        }
        catch (Exception e)
        {
            memory.Fail(flight, e);
        }
    }

    private async Task<(ToolReply Reply, bool Started)> RunAsync(Sandbox sandbox, Tool tool, ToolArguments arguments, ToolParams? call, Action<ToolProgress> progress)
    {
        var what = $"calling tool {tool.Name} in";
        var began = host.Time.GetTimestamp();
        var generation = sandbox.Tools.Generation;
        ToolResult result;
        using (var place = sandbox.Tools.TryEnter())
        {
            // First in, then the look at the state: whoever closes the door after this waits for us.
            var (_, link) = await access.GetRunningAsync(sandbox.Record.Id.Value, what, CancellationToken.None).ConfigureAwait(false);
            if (place is null)
            {
                throw GateRules.ToolDoor.Busy(sandbox.Record, GateRules.Pause);
            }

            var beganUnixMs = host.Now;
            try
            {
                result = await host.Metrics.ToolAsync(tool.Name, () => tool.RunAsync(
                    new ToolRun(sandbox, link, arguments, host.Config.Tools, call is null ? null : Tag(call), progress), CancellationToken.None)).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException || e is VivariumException { Code: ErrorCode.Unavailable })
            {
                result = await OutOfMemoryAsync(sandbox, link, began).ConfigureAwait(false) ?? throw Interrupted(sandbox, what, beganUnixMs, e);
            }
        }

        var reply = new ToolReply
        {
            Content = result.Content,
            IsError = result.IsError,
            ExitCode = result.ExitCode,
            TimedOut = result.TimedOut,
            Oom = result.Oom,
            Truncated = result.Truncated,
            Repeated = result.Joined,
            DurationMs = (long)host.Time.GetElapsedTime(began).TotalMilliseconds,
        };
        return (tool.Changes && !result.NotStarted ? await snapshots.AddAsync(reply, sandbox, tool, call?.CallId, generation).ConfigureAwait(false) : reply, !result.NotStarted);
    }

    /// <summary>Where the whole sandbox is one process to the kernel (gvisor), running out of memory ends it all: that is the tool's answer, and the sandbox has failed.</summary>
    private async Task<ToolResult?> OutOfMemoryAsync(Sandbox sandbox, SupervisorLink link, long began)
    {
        for (var i = 0; i < 50 && !link.RanOutOfMemory(began) && sandbox.Record.State == SandboxState.Running; i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), host.Time).ConfigureAwait(false);
        }

        return link.RanOutOfMemory(began) ? ToolResult.Failed($"the sandbox ran out of memory and ended; it can be started again: viv start {sandbox.Record.Name}") with { Oom = true } : null;
    }

    private static VivariumException Interrupted(Sandbox sandbox, string what, long began, Exception inner)
    {
        var record = sandbox.Record;
        return record.Rollback is not null || record.Lineage?.RolledBackUnixMs >= began
            ? new(ErrorCode.FailedPrecondition, $"{what} sandbox {record.Name}: the sandbox was rolled back while it ran", "Call it again if it is still wanted.", "rolled_back", inner)
            : record.State is SandboxState.Destroying or SandboxState.Gone
                ? new(ErrorCode.FailedPrecondition, $"{what} sandbox {record.Name}: the sandbox was destroyed while it ran", null, "destroying", inner)
                : record.State != SandboxState.Running
                    ? new(ErrorCode.FailedPrecondition, $"{what} sandbox {record.Name}: the sandbox ended while it ran; it is {record.State}", "viv show says why.", "not_running", inner)
                    : new(ErrorCode.Unavailable, $"{what} sandbox {record.Name}: the connection to it ended before the tool did", "Look at the sandbox's state: viv show.", "closed_early", inner);
    }
}
