using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Guest.Exec;
using Vivarium.Guest.Ports;
using Vivarium.Transport;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Control;

/// <summary>
/// Port 1024: newline-delimited JSON envelopes, compatible with the StereOS control protocol. Requests without an id are answered in order; those with
/// one as they finish. A line that is too long ends the connection; anything else wrong is answered and the connection goes on.
/// </summary>
internal sealed class ControlPort(TokenGate gate, ControlActions actions) : IPortHandler
{
    private const int MaxOutOfOrder = 32;

    /// <inheritdoc/>
    public int Port => GuestPort.Control;

    /// <inheritdoc/>
    public bool OpenBeforeHello => true;

    /// <inheritdoc/>
    public int MaxConnections => 64;

    /// <inheritdoc/>
    public async Task ServeAsync(DuplexStream stream, CancellationToken cancellationToken)
    {
        using var reader = new ConnectionReader(stream);
        using var writing = new SemaphoreSlim(1, 1);
        using var slots = new SemaphoreSlim(MaxOutOfOrder, MaxOutOfOrder);
        var pending = new List<Task>();
        using var subscription = actions.Lifecycle.Subscribe(line => WriteAsync(stream, writing, line, cancellationToken), gate);
        while (await reader.ReadLineAsync(ControlEnvelope.MaxLineBytes, cancellationToken) is { } line)
        {
            if (line.IsEmpty)
            {
                continue;
            }

            var envelope = Parse(line, out var refusal);
            if (envelope is null)
            {
                await WriteAsync(stream, writing, refusal!, cancellationToken);
            }
            else if (envelope.Id is null)
            {
                await AnswerAsync(stream, writing, envelope, cancellationToken);
            }
            else
            {
                await slots.WaitAsync(cancellationToken);
                pending.RemoveAll(static task => task.IsCompleted);
                pending.Add(AnswerAndReleaseAsync(stream, writing, slots, envelope, cancellationToken));
            }
        }

        await Task.WhenAll(pending);
        await stream.CompleteWritesAsync(cancellationToken);
    }

    private static ControlEnvelope? Parse(ReadOnlyMemory<byte> line, out byte[]? refusal)
    {
        try
        {
            refusal = null;
            var envelope = JsonSerializer.Deserialize(line.Span, GuestJson.Default.ControlEnvelope);
            if (envelope is not null)
            {
                return envelope;
            }

            refusal = Ack("", null, "malformed JSON: null");
        }
        catch (JsonException e)
        {
            refusal = Ack("", null, $"malformed JSON: {e.Message}");
        }

        return null;
    }

    private async Task AnswerAndReleaseAsync(DuplexStream stream, SemaphoreSlim writing, SemaphoreSlim slots, ControlEnvelope envelope, CancellationToken cancellationToken)
    {
        await Task.Yield();
        try
        {
            await AnswerAsync(stream, writing, envelope, cancellationToken);
        }
        finally
        {
            slots.Release();
        }
    }

    private async Task AnswerAsync(DuplexStream stream, SemaphoreSlim writing, ControlEnvelope envelope, CancellationToken cancellationToken)
    {
        byte[] answer;
        Action? afterwards = null;
        try
        {
            (answer, afterwards) = await HandleAsync(envelope, cancellationToken);
        }
        catch (VivariumException e)
        {
            answer = Ack(envelope.Type, envelope.Id, e.Message);
        }
        catch (JsonException e)
        {
            answer = Ack(envelope.Type, envelope.Id, $"decode {envelope.Type} payload: {e.Message}");
        }
        catch (IOException e)
        {
            answer = Ack(envelope.Type, envelope.Id, e.Message);
        }
        catch (UnauthorizedAccessException e)
        {
            answer = Ack(envelope.Type, envelope.Id, e.Message);
        }

        await WriteAsync(stream, writing, answer, cancellationToken);
        afterwards?.Invoke();
    }

    private async Task<(byte[] Answer, Action? Afterwards)> HandleAsync(ControlEnvelope message, CancellationToken cancellationToken)
    {
        if (message.Type == ControlType.Ping)
        {
            return (Envelope(ControlType.Pong, message.Id), null);
        }

        if (message.Type == ControlType.Hello)
        {
            var answer = actions.Hello(gate, Payload(message, GuestJson.Default.HelloPayload));
            return (Envelope(ControlType.Hello, message.Id, answer, GuestJson.Default.HelloPayload), null);
        }

        if (!gate.IsOpen)
        {
            return (Ack(message.Type, message.Id, "say hello with the sandbox's token first"), null);
        }

        switch (message.Type)
        {
            case ControlType.GetHealth:
                return (Envelope(ControlType.Health, message.Id, actions.Health(), GuestJson.Default.HealthPayload), null);
            case ControlType.Stats:
                return (Envelope(ControlType.Stats, message.Id, actions.Stats(), GuestJson.Default.GuestStats), null);
            case ControlType.Processes:
                return (Envelope(ControlType.Processes, message.Id, actions.Processes(), GuestJson.Default.ProcessesPayload), null);
            case ControlType.Listeners:
                return (Envelope(ControlType.Listeners, message.Id, await ControlActions.ListenersAsync(), GuestJson.Default.ListenersPayload), null);
            case ControlType.SetConfig:
                actions.SetConfig(Payload(message, GuestJson.Default.SetConfigPayload));
                break;
            case ControlType.InjectSecret:
                actions.Secrets.Put(Payload(message, GuestJson.Default.InjectSecretPayload));
                break;
            case ControlType.InjectSshKey:
                actions.InjectSshKey(Payload(message, GuestJson.Default.InjectSshKeyPayload));
                break;
            case ControlType.Mount:
                actions.Mounts.Make(Payload(message, GuestJson.Default.MountPayload));
                break;
            case ControlType.Configure:
                await actions.ConfigureAsync(Payload(message, GuestJson.Default.ConfigurePayload));
                return (Ack(message.Type, message.Id, null), Rehearsal.Run);
            case ControlType.KillProcess:
                await actions.KillProcessAsync(Payload(message, GuestJson.Default.KillProcessPayload), cancellationToken);
                break;
            case ControlType.Quiesce:
                await actions.QuiesceAsync(cancellationToken);
                break;
            case ControlType.Thaw:
                actions.Thaw();
                break;
            case ControlType.Resumed:
                actions.Resumed(gate, Payload(message, GuestJson.Default.ResumedPayload));
                break;
            case ControlType.Oom:
                actions.OnOom(Payload(message, GuestJson.Default.OomPayload));
                break;
            case ControlType.Shutdown:
                var reason = message.Payload is null ? null : Payload(message, GuestJson.Default.ShutdownPayload).Reason;
                return (Ack(message.Type, message.Id, null), () => actions.Shutdown(reason ?? "the host asked for it"));
            default:
                return (Ack(message.Type, message.Id, $"unknown message type: {message.Type}"), null);
        }

        return (Ack(message.Type, message.Id, null), null);
    }

    private static T Payload<T>(ControlEnvelope message, JsonTypeInfo<T> type)
    {
        if (message.Payload is not { ValueKind: not JsonValueKind.Null } payload)
        {
            throw new JsonException($"envelope {message.Type} has no payload");
        }

        return payload.Deserialize(type) ?? throw new JsonException($"envelope {message.Type} has no payload");
    }

    private static byte[] Ack(string replyTo, string? id, string? error) =>
        Envelope(ControlType.Ack, id, new AckPayload { ReplyTo = replyTo, Ok = error is null, Error = error }, GuestJson.Default.AckPayload);

    private static byte[] Envelope<T>(string type, string? id, T payload, JsonTypeInfo<T> info) =>
        JsonLines.ToLine(new ControlEnvelope { Type = type, Id = id, Payload = JsonSerializer.SerializeToElement(payload, info) }, GuestJson.Default.ControlEnvelope);

    private static byte[] Envelope(string type, string? id) =>
        JsonLines.ToLine(new ControlEnvelope { Type = type, Id = id }, GuestJson.Default.ControlEnvelope);

    private static async Task WriteAsync(DuplexStream stream, SemaphoreSlim writing, byte[] line, CancellationToken cancellationToken)
    {
        await writing.WaitAsync(cancellationToken);
        try
        {
            await stream.WriteAsync(line, cancellationToken);
        }
        finally
        {
            writing.Release();
        }
    }
}
