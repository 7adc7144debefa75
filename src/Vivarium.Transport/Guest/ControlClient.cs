using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Transport.Lines;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Guest;

/// <summary>
/// The host's side of the control port. Requests carry an <c>id</c>; a guest that does not echo it (a plain stereosd) answers in order, which works as
/// well. A pushed <c>lifecycle</c> is never taken for an answer.
/// </summary>
public sealed partial class ControlClient : IAsyncDisposable
{
    /// <summary>How long a request may take when its caller says nothing.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Requests without an answer yet, those whose caller has given up included: a peer without ids will still answer them.</summary>
    private const int MaxPending = 1024;

    private readonly Lock _gate = new();
    private readonly LineStream _stream;
    private readonly LineQueue _outgoing;
    private readonly TimeProvider _clock;
    private readonly LinkedList<Pending> _pending = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _reading;
    private VivariumException? _failure;
    private long _lastId;

    /// <summary>Speaks over a fresh stream to the control port and owns it from now on.</summary>
    public ControlClient(DuplexStream stream, TimeProvider? clock = null)
    {
        _stream = stream as LineStream ?? new LineStream(stream);
        _outgoing = new LineQueue(_stream);
        _clock = clock ?? TimeProvider.System;
        _reading = ReadAsync();
    }

    /// <summary>Called for every pushed lifecycle message, on the reading loop: be quick.</summary>
    public Action<LifecyclePayload>? OnLifecycle { get; set; }

    /// <summary>Completes (never faults) when the connection has ended.</summary>
    public Task Ended => _reading;

    /// <summary>Sends a request and returns the envelope that answers it.</summary>
    /// <exception cref="VivariumException">unavailable: the connection ended; deadline_exceeded: no answer in time.</exception>
    public async Task<ControlEnvelope> SendAsync(string type, JsonElement? payload, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var pending = new Pending();
        Task written;
        lock (_gate)
        {
            if (_failure is not null)
                throw _failure;
            if (_pending.Count >= MaxPending)
                throw new VivariumException(ErrorCode.Unavailable, $"the guest has left {MaxPending} control requests unanswered", reason: "guest_silent");
            pending.Id = $"{++_lastId}";
            _pending.AddLast(pending);

            // Inside the lock: the order on the wire is the order of the list, which peers without ids depend on.
            using var line = JsonLine.Of(new ControlEnvelope { Type = type, Payload = payload, Id = pending.Id }, GuestJson.Default.ControlEnvelope);
            written = line.Length - 1 <= ControlEnvelope.MaxLineBytes
                ? _outgoing.WriteAsync(line.Memory.Span)
                : throw Remove(pending, new VivariumException(ErrorCode.ResourceExhausted, $"the control message {type} is longer than {ControlEnvelope.MaxLineBytes} bytes", reason: "message_too_long"));
        }

        var limit = timeout ?? DefaultTimeout;
        try
        {
            await written.WaitAsync(limit, _clock, cancellationToken).ConfigureAwait(false);
            return await pending.Task.WaitAsync(limit, _clock, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw new VivariumException(ErrorCode.DeadlineExceeded, $"the guest did not answer {type} within {limit.TotalSeconds:0.#} s", reason: "guest_silent", inner: e);
        }
        catch (IOException e)
        {
            throw Broken(e);
        }
    }

    /// <summary>Sends a request that is answered by <c>ack</c>; one that says no is an error.</summary>
    public async Task RequestAckAsync<T>(string type, T payload, JsonTypeInfo<T> payloadType, TimeSpan? timeout, CancellationToken cancellationToken) =>
        CheckAck(type, await SendAsync(type, JsonSerializer.SerializeToElement(payload, payloadType), timeout, cancellationToken).ConfigureAwait(false));

    /// <summary>Sends a request that is answered by an envelope with a payload of its own type.</summary>
    public async Task<T> RequestAsync<T>(string type, JsonElement? payload, string answerType, JsonTypeInfo<T> answer, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var envelope = await SendAsync(type, payload, timeout, cancellationToken).ConfigureAwait(false);
        if (envelope.Type == ControlType.Ack)
            CheckAck(type, envelope);
        if (envelope.Type != answerType || envelope.Payload is not { } json)
            throw new VivariumException(ErrorCode.Internal, $"the guest answered {type} with {envelope.Type} instead of {answerType}", reason: "bad_answer");
        return Read(type, json, answer);
    }

    /// <summary>Ends the connection; requests under way fail.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        await _stream.DisposeAsync().ConfigureAwait(false);
        await _reading.ConfigureAwait(false);
    }

    private static void CheckAck(string type, ControlEnvelope envelope)
    {
        if (envelope.Type != ControlType.Ack || envelope.Payload is not { } json)
            throw new VivariumException(ErrorCode.Internal, $"the guest answered {type} with {envelope.Type} instead of an acknowledgement", reason: "bad_answer");
        var ack = Read(type, json, GuestJson.Default.AckPayload);
        if (ack.ReplyTo.Length > 0 && ack.ReplyTo != type)
            throw new VivariumException(ErrorCode.Internal, $"the guest acknowledged {ack.ReplyTo} instead of {type}", reason: "bad_answer");
        if (ack.Ok)
            return;
        var kind = type == ControlType.Hello ? ErrorCode.Unauthenticated
            : ack.Error?.StartsWith("unknown message type", StringComparison.Ordinal) == true ? ErrorCode.Unimplemented
            : ErrorCode.FailedPrecondition;
        throw new VivariumException(kind, $"the guest refused {type}: {ack.Error ?? "without saying why"}", reason: "guest_refused");
    }

    private static T Read<T>(string type, JsonElement json, JsonTypeInfo<T> info)
    {
        try
        {
            return json.Deserialize(JsonRpc.JsonTypes.Tolerant(info)) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new VivariumException(ErrorCode.Internal, $"the guest's answer to {type} cannot be read: {e.Message}", reason: "bad_answer", inner: e);
        }
    }

    private async Task ReadAsync()
    {
        VivariumException cause;
        try
        {
            while (await _stream.ReadLineAsync(ControlEnvelope.MaxLineBytes, _ending.Token).ConfigureAwait(false) is { } line)
            {
                if (!line.Span.Trim(" \t\r"u8).IsEmpty)
                    OnLine(line.Span);
            }

            cause = new VivariumException(ErrorCode.Unavailable, "the guest closed the control connection", reason: "connection_closed");
        }
        catch (VivariumException e)
        {
            cause = e;
        }
        catch (JsonException e)
        {
            cause = new VivariumException(ErrorCode.Unavailable, $"the guest sent a malformed control message: {e.Message}", reason: "bad_answer", inner: e);
        }
        catch (Exception e)
        {
            cause = Broken(e);
        }

        Pending[] waiting;
        lock (_gate)
        {
            _failure ??= cause;
            waiting = [.. _pending];
            _pending.Clear();
        }

        _outgoing.Fail(cause);
        foreach (var pending in waiting)
            pending.TrySetException(cause);
    }

    private void OnLine(ReadOnlySpan<byte> line)
    {
        var envelope = JsonSerializer.Deserialize(line, JsonRpc.JsonTypes.Tolerant(GuestJson.Default.ControlEnvelope)) ?? throw new JsonException("null");
        if (envelope.Type == ControlType.Lifecycle)
        {
            if (envelope.Payload is { } json && OnLifecycle is { } handler)
                handler(json.Deserialize(JsonRpc.JsonTypes.Tolerant(GuestJson.Default.LifecyclePayload))!);
            return;
        }

        Pending? answered;
        lock (_gate)
        {
            answered = Match(envelope.Id);
            if (answered is not null)
                _pending.Remove(answered);
        }

        answered?.TrySetResult(envelope);
    }

    /// <summary>By id; an answer without one is for the oldest request, given up or not.</summary>
    private Pending? Match(string? id)
    {
        if (id is null)
            return _pending.First?.Value;
        foreach (var pending in _pending)
        {
            if (pending.Id == id)
                return pending;
        }

        return null;
    }

    private VivariumException Remove(Pending pending, VivariumException error)
    {
        _pending.Remove(pending);
        return error;
    }

    private static VivariumException Broken(Exception e) =>
        new(ErrorCode.Unavailable, "the control connection to the guest broke", reason: "connection_broken", inner: e);

    private sealed class Pending() : TaskCompletionSource<ControlEnvelope>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public string? Id { get; set; }
    }
}
