using System.Text.Json;
using Vivarium.Daemon.Http.Connect;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Sessions;

internal sealed partial class SessionMethods
{
    private const string CutMark = "\n... cut to fit into one message ...\n";

    private void AddTools(ConnectService service) => service
        .Unary(SessionMethod.ExecuteTool, SessionJson.Wire.ExecuteToolRequest, SessionJson.Wire.ExecuteToolResponse, async (p, call, token) =>
        {
            var sandbox = await ToolPlaceAsync(p, call, token).ConfigureAwait(false);
            var reply = await host.Tools.CallAsync(Call(p, sandbox), null, token).ConfigureAwait(false);
            return Fitting(p, sandbox, reply, static r => r, SessionJson.Wire.ExecuteToolResponse);
        })
        .ServerStream(SessionMethod.ExecuteToolStream, SessionJson.Wire.ExecuteToolRequest, SessionJson.Wire.ExecuteToolStreamMessage, async (p, call, sink, token) =>
        {
            var sandbox = await ToolPlaceAsync(p, call, token).ConfigureAwait(false);
            var skipped = 0L;
            var reply = await host.Tools.CallAsync(Call(p, sandbox), Pass, token).ConfigureAwait(false);
            sink.Send(Fitting(p, sandbox, reply, static r => new ExecuteToolStreamMessage { Response = r }, SessionJson.Wire.ExecuteToolStreamMessage));

            void Pass(ToolProgress piece)
            {
                var progress = new ExecuteToolProgress { Content = piece.Content, IsError = piece.IsError, Skipped = skipped };
                skipped = sink.TrySend(new ExecuteToolStreamMessage { Progress = progress }) ? 0 : skipped + piece.Content.Length;
            }
        });

    private async Task<Sandbox> ToolPlaceAsync(ExecuteToolRequest p, ConnectCall call, CancellationToken cancellationToken)
    {
        Require(call, p.SessionId, "SessionID");
        Require(call, p.ToolName, "ToolName");
        Require(call, p.ToolCallId, "ToolCallID");
        var sandbox = await directory.GetAsync(call, p.SessionId, cancellationToken).ConfigureAwait(false);
        const long mebi = 1024 * 1024;
        var limits = sandbox.Record.Resources;
        if ((p.Resources?.Cpus is > 0 and var cpus && cpus < limits.Cpus) || (p.Resources?.MemMb is > 0 and var memory && memory < limits.MemoryBytes / mebi))
        {
            throw new VivariumException(
                ErrorCode.InvalidArgument,
                $"{call.Method}: a tool cannot have less than its session's {limits.Cpus} CPUs and {limits.MemoryBytes / mebi} MiB",
                "Leave Resources out, or give the session other limits when it is created.",
                "resources_of_session");
        }

        return sandbox;
    }

    private static ToolParams Call(ExecuteToolRequest p, Sandbox sandbox) => new()
    {
        Ref = Ref(sandbox),
        Name = p.ToolName!,
        Arguments = p.Params is { ValueKind: not JsonValueKind.Null } ? p.Params : null,
        CallId = p.ToolCallId,
    };

    /// <summary>The answer as a message no larger than allowed: the tool has run, so what is too long is cut in the middle rather than refused.</summary>
    private TMessage Fitting<TMessage>(
        ExecuteToolRequest p, Sandbox sandbox, ToolReply reply, Func<ExecuteToolResponse, TMessage> wrap, System.Text.Json.Serialization.Metadata.JsonTypeInfo<TMessage> type)
    {
        var message = wrap(Answer(p, sandbox, reply));
        for (var keep = reply.Content.Length; 6L * 2 * keep > maxMessage && JsonSerializer.SerializeToUtf8Bytes(message, type).Length > maxMessage; message = wrap(Answer(p, sandbox, reply with { Content = Cut(reply.Content, keep), Truncated = true })))
        {
            keep /= 2;
        }

        return message;
    }

    private static string Cut(string text, int keep)
    {
        var head = keep / 2;
        var tail = text.Length - (keep - head);

        // Not between the halves of one character.
        head -= head > 0 && char.IsHighSurrogate(text[head - 1]) ? 1 : 0;
        tail += tail < text.Length && char.IsLowSurrogate(text[tail]) ? 1 : 0;
        return string.Concat(text.AsSpan(0, head), CutMark, text.AsSpan(tail));
    }

    private ExecuteToolResponse Answer(ExecuteToolRequest p, Sandbox sandbox, ToolReply reply) => new()
    {
        SessionId = SessionView.Id(sandbox.Record),
        ToolCallId = p.ToolCallId,
        ToolName = p.ToolName,
        Content = reply.Content,
        ContentBlocks = [new ContentBlock { Type = "text", Text = reply.Content }],
        ExitCode = reply.ExitCode,
        SnapshotId = SnapshotId.TryParse(reply.SnapshotId, out var id) ? host.Services.Snapshots.Find(id)?.Name ?? id.Value : string.Empty,
        SnapshotError = reply.SnapshotError,
        Duration = SessionView.Nanoseconds(reply.DurationMs),
        Tier = SessionView.Tier(sandbox.Record),
        IsError = reply.IsError,
        TimedOut = reply.TimedOut,
        Oom = reply.Oom,
        Truncated = reply.Truncated,
        Repeated = reply.Repeated,
    };

    private static void Require(ConnectCall call, string? value, string name)
    {
        if (string.IsNullOrEmpty(value))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"{call.Method}: {name} is required", null, "missing_field");
        }
    }
}
