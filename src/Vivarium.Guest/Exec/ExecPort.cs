using System.Text.Json;
using Vivarium.Guest.Ports;
using Vivarium.Guest.Processes;
using Vivarium.Linux.Processes;
using Vivarium.Transport;
using Vivarium.Transport.Yamux;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Exec;

/// <summary>Port 1025: one connection is one process, new or joined. See guest.md of the design.</summary>
internal sealed class ExecPort(GuestContext context) : IPortHandler
{
    private static readonly TimeSpan RequestDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan HangupGrace = TimeSpan.FromSeconds(2);

    private readonly ProcessLauncher _launcher = new(context);

    /// <inheritdoc/>
    public int Port => GuestPort.Exec;

    /// <inheritdoc/>
    public int MaxConnections => 2048;

    /// <inheritdoc/>
    public async Task ServeAsync(DuplexStream stream, CancellationToken cancellationToken)
    {
        using var reader = new ConnectionReader(stream);
        var connection = context.Connection;
        ExecRequest request;
        ManagedProcess process;
        OutputCursor cursor;
        ExecReply reply;
        try
        {
            request = await ReadRequestAsync(reader, cancellationToken);
            if (request.Attach is { } attach)
            {
                process = context.Processes.Find(attach.Pid, attach.Tag);
                (cursor, var lost) = process.Output.Attach(attach.Offset, holdsBack: !attach.ReadOnly);
                reply = new ExecReply { Pid = process.Pid, Offset = cursor.Offset, Lost = lost };
            }
            else
            {
                (process, cursor) = _launcher.Start(request);
                reply = new ExecReply { Pid = process.Pid };
            }
        }
        catch (VivariumException e)
        {
            await stream.WriteAsync(JsonLines.ToLine(new ExecReply { Error = e.ToInfo() }, GuestJson.Default.ExecReply), cancellationToken);
            await stream.CompleteWritesAsync(cancellationToken);
            return;
        }

        try
        {
            await stream.WriteAsync(JsonLines.ToLine(reply, GuestJson.Default.ExecReply), cancellationToken);
            await ConverseAsync(reader, stream, process, cursor, request, cancellationToken);
        }
        finally
        {
            process.Output.Detach(cursor);

            // A restore takes the connection away, not the process: nobody has left it.
            if (request.KillOnDisconnect && request.Attach is null && !process.Exited.IsCompleted && connection?.End?.Reason != SessionEnd.Restarted)
            {
                await process.EndTreeAsync(Signals.SIGHUP, HangupGrace);
            }
        }
    }

    private static async Task<ExecRequest> ReadRequestAsync(ConnectionReader reader, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(RequestDeadline);
        try
        {
            var line = await reader.ReadLineAsync(ExecRequest.MaxLineBytes, deadline.Token);
            if (line is not { } json)
            {
                throw new VivariumException(ErrorCode.InvalidArgument, "the connection ended before a request came");
            }

            return JsonSerializer.Deserialize(json.Span, GuestJson.Default.ExecRequest)
                ?? throw new VivariumException(ErrorCode.InvalidArgument, "the exec request is null");
        }
        catch (JsonException e)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"the exec request is not what it should be: {e.Message}", inner: e);
        }
        catch (InvalidDataException e)
        {
            throw new VivariumException(ErrorCode.ResourceExhausted, $"the exec request is too large: {e.Message}", inner: e);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VivariumException(ErrorCode.DeadlineExceeded, $"no exec request came within {RequestDeadline.TotalSeconds:0} seconds");
        }
    }

    private static async Task ConverseAsync(
        ConnectionReader reader, DuplexStream stream, ManagedProcess process, OutputCursor cursor, ExecRequest request, CancellationToken cancellationToken)
    {
        using var writing = new SemaphoreSlim(1, 1);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var readOnly = request.Attach is { ReadOnly: true };
        var receiving = ExecInput.ReceiveAsync(reader, stream, writing, process, readOnly, ending.Token);
        var sending = ExecOutput.SendAsync(stream, writing, process, cursor, ending.Token);
        try
        {
            if (await Task.WhenAny(receiving, sending) == receiving)
            {
                // The end of the host's side is the end of the connection for a process that was to go with it; anyone else may go on listening.
                await receiving;
                if (!request.KillOnDisconnect)
                {
                    await sending;
                }
            }

            if (sending.IsCompleted)
            {
                await sending;
                await stream.CompleteWritesAsync(cancellationToken);
            }
        }
        finally
        {
            await ending.CancelAsync();
            await EndedAsync(receiving);
            await EndedAsync(sending);
        }
    }

    private static async Task EndedAsync(Task task) => await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
