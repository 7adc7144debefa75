using System.Text.Json;
using Vivarium.Supervisor.Lifecycle;
using Vivarium.Transport.Lines;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor.Control;

/// <summary>One request, one answer, the end: the form a Masterblaster vmhost speaks. Stops are answered when they have begun.</summary>
internal static class OneShot
{
    private const int MaxLine = 64 * 1024;
    private static readonly TimeSpan DefaultStopDeadline = TimeSpan.FromSeconds(30);

    public static async Task AnswerAsync(LineStream line, SupervisedSandbox sandbox, bool isOwner, CancellationToken cancellationToken)
    {
        OneShotReply reply;
        try
        {
            var request = await line.ReadJsonLineAsync(SupervisorJson.Default.OneShotRequest, MaxLine, cancellationToken).ConfigureAwait(false);
            reply = isOwner ? Answer(request, sandbox) : new OneShotReply { Ok = false, Error = "permission denied" };
        }
        catch (Exception e) when (e is VivariumException or JsonException)
        {
            reply = new OneShotReply { Ok = false, Error = $"invalid request: {e.Message}" };
        }

        await line.WriteJsonLineAsync(reply, SupervisorJson.Default.OneShotReply, cancellationToken).ConfigureAwait(false);
        await line.CompleteWritesAsync(cancellationToken).ConfigureAwait(false);
    }

    private static OneShotReply Answer(OneShotRequest request, SupervisedSandbox sandbox)
    {
        switch (request.Method)
        {
            case "status":
                return new OneShotReply { Ok = true, State = State(sandbox) };
            case "info":
                return new OneShotReply { Ok = true, State = State(sandbox), Backend = sandbox.Spec.Engine };
            case "stop":
                var deadline = request.TimeoutSeconds is { } seconds and > 0 and < 3600 ? TimeSpan.FromSeconds(seconds) : DefaultStopDeadline;
                _ = sandbox.StopAsync(deadline, "requested", CancellationToken.None); // goes on when the client has left
                return new OneShotReply { Ok = true, State = "stopping" };
            case "force_stop":
                _ = sandbox.ForceStopAsync(CancellationToken.None); // goes on when the client has left
                return new OneShotReply { Ok = true, State = "stopping" };
            default:
                return new OneShotReply { Ok = false, Error = $"unknown method: {request.Method}" };
        }
    }

    private static string State(SupervisedSandbox sandbox) => sandbox.Board.Phase is SupervisorPhase.Failed ? "error" : sandbox.Board.Phase;
}
