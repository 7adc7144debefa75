using System.Globalization;
using System.Text.Json;
using Vivarium.Wire.Errors;

namespace Vivarium.Transport.JsonRpc;

/// <summary>The receiving side: reads lines, tells answers, requests and notifications apart, serves requests concurrently.</summary>
public sealed partial class JsonRpcConnection
{
    private const int MaxIdBytes = 256;
    private const long MaxDrainBytes = 256L * 1024 * 1024;

    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(2);

    private async Task ReadMessagesAsync()
    {
        while (true)
        {
            // A peer that asks and does not read the answers has to wait. One that only answers never does: two such would wait for each other.
            if (_dispatcher.HasMethods)
                await _outgoing.WhenBelowAsync(_options.MaxBacklogBytes).WaitAsync(_ended.Token).ConfigureAwait(false);
            ReadOnlyMemory<byte>? line;
            try
            {
                line = await _stream.ReadLineAsync(_options.MaxMessageBytes, _ended.Token).ConfigureAwait(false);
            }
            catch (VivariumException e) when (e.Code == ErrorCode.ResourceExhausted)
            {
                var tooLong = new VivariumException(
                    ErrorCode.ResourceExhausted, $"a message is longer than {_options.MaxMessageBytes} bytes", "Send bulk data over a stream instead.", "message_too_long");
                await RefuseAsync(null, JsonRpcError.InvalidRequest, tooLong.ToInfo()).ConfigureAwait(false);
                await DrainAsync().ConfigureAwait(false);
                throw tooLong;
            }

            if (line is not { } bytes)
                return;
            if (!bytes.Span.Trim(" \t\r"u8).IsEmpty)
                await OnMessageAsync(bytes).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Reads on for a moment after a refusal: a socket closed with unread bytes is reset, and the peer, still sending, would
    /// see that instead of the answer.
    /// </summary>
    private async Task DrainAsync()
    {
        using var limit = new CancellationTokenSource(DrainTime, _options.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _ended.Token);
        var scratch = new byte[64 * 1024];
        try
        {
            await _stream.CompleteWritesAsync(either.Token).ConfigureAwait(false);
            for (long drained = 0; drained < MaxDrainBytes;)
            {
                var read = await _stream.ReadAsync(scratch, either.Token).ConfigureAwait(false);
                if (read == 0)
                    return;
                drained += read;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // Long enough.
        }
    }

    private async ValueTask OnMessageAsync(ReadOnlyMemory<byte> line)
    {
        JsonDocument message;
        try
        {
            message = JsonRpcMessages.Parse(line.Span);
        }
        catch (JsonException e)
        {
            await RefuseAsync(null, JsonRpcError.ParseError, Invalid($"the message is not valid JSON: {e.Message}", "malformed_json")).ConfigureAwait(false);
            return;
        }

        var owned = true;
        try
        {
            var root = message.RootElement;
            if (root.ValueKind == JsonValueKind.Array)
            {
                await RefuseAsync(null, JsonRpcError.InvalidRequest, Invalid("batches are not supported; send one message a line", "batch")).ConfigureAwait(false);
            }
            else if (JsonRpcMessages.Fault(root) is { } fault)
            {
                await RefuseAsync(null, JsonRpcError.InvalidRequest, Invalid(fault, "invalid_request")).ConfigureAwait(false);
            }
            else if (!root.TryGetProperty("method"u8, out var method))
            {
                owned = !OnAnswer(message);
            }
            else if (root.TryGetProperty("id"u8, out var id))
            {
                var name = method.GetString()!;
                owned = false;
                await OnRequestAsync(message, name, id.GetRawText()).ConfigureAwait(false);
            }
            else
            {
                await OnNotificationAsync(method.GetString()!, JsonRpcMessages.Params(root)).ConfigureAwait(false);
            }
        }
        catch (InvalidOperationException e) when (owned)
        {
            // A string of half a surrogate pair is JSON, but no text.
            await RefuseAsync(null, JsonRpcError.InvalidRequest, Invalid($"the message cannot be read: {e.Message}", "invalid_request")).ConfigureAwait(false);
        }
        finally
        {
            if (owned)
                message.Dispose();
        }
    }

    /// <summary>True when somebody waited for it and now owns the document.</summary>
    private bool OnAnswer(JsonDocument message)
    {
        if (!message.RootElement.TryGetProperty("id"u8, out var id) || id.ValueKind != JsonValueKind.Number || !id.TryGetInt64(out var number))
            return false;
        lock (_gate)
            return _pending.Remove(number, out var request) && request.TrySetResult(message);
    }

    private async ValueTask OnNotificationAsync(string method, JsonElement? parameters)
    {
        if (method == CancelMethod)
        {
            if (parameters is { } p && p.TryGetProperty("id"u8, out var id))
                CancelServing(id.GetRawText());
            return;
        }

        if (_dispatcher.FindNotification(method) is not { } handler)
            return;
        var call = new JsonRpcCall(this, method, null);
        try
        {
            await handler(call, parameters, _ended.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (!_ended.IsCancellationRequested)
        {
            // There is nobody to answer; the mapping logs it.
            _ = MapError(call, e);
        }
    }

    private async ValueTask OnRequestAsync(JsonDocument message, string method, string id)
    {
        var handler = _dispatcher.FindMethod(method);
        CancellationTokenSource? cancellation = null;
        (int Code, ErrorInfo Info)? refusal = null;
        lock (_gate)
        {
            if (id.Length > MaxIdBytes)
                refusal = (JsonRpcError.InvalidRequest, Invalid($"the id is longer than {MaxIdBytes} bytes", "invalid_request"));
            else if (handler is null)
                refusal = (JsonRpcError.MethodNotFound, new VivariumException(ErrorCode.Unimplemented, $"there is no method {Shorten(method)}", reason: "unknown_method").ToInfo());
            else if (_serving.ContainsKey(id))
                refusal = (JsonRpcError.InvalidRequest, Invalid($"a request with the id {id} is running already", "duplicate_id"));
            else if (_serving.Count >= _options.MaxConcurrentRequests)
                refusal = TooMany();
            else
                _serving.Add(id, cancellation = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token));
        }

        if (refusal is { } no)
        {
            message.Dispose();
            await RefuseAsync(id.Length > MaxIdBytes ? null : id, no.Code, no.Info).ConfigureAwait(false);
            return;
        }

        _ = ServeAsync(handler!, new JsonRpcCall(this, method, id), message, cancellation!);
    }

    /// <summary>Frees the id of a request that is about to be answered; returns the key it is kept under until it has been. No JSON text begins with a space.</summary>
    private string Release(string id, CancellationTokenSource cancellation)
    {
        lock (_gate)
        {
            _serving.Remove(id);
            var key = string.Create(CultureInfo.InvariantCulture, $" {++_answers}");
            _serving.Add(key, cancellation);
            return key;
        }
    }

    private async Task ServeAsync(JsonRpcDispatcher.Handler handler, JsonRpcCall call, JsonDocument message, CancellationTokenSource cancellation)
    {
        var key = call.Id!;
        var began = _options.Served is null ? 0 : _options.Clock.GetTimestamp();
        try
        {
            Lines.JsonLine answer;
            ErrorInfo? error = null;
            try
            {
                var result = await handler(call, JsonRpcMessages.Params(message.RootElement), cancellation.Token).ConfigureAwait(false);
                answer = JsonRpcMessages.Result(call.Id!, result);
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                error = new VivariumException(ErrorCode.Canceled, $"{call.Method} was cancelled by the caller").ToInfo();
                answer = JsonRpcMessages.Error(call.Id, ErrorCodes.ToJsonRpc(ErrorCode.Canceled), error);
            }
            catch (Exception e)
            {
                error = MapError(call, e);
                answer = JsonRpcMessages.Error(call.Id, ErrorCodes.ToJsonRpc(ErrorCodes.Parse(error.Code)), error);
            }

            _options.Served?.Invoke(call, _options.Clock.GetElapsedTime(began), error);

            // Whoever reads the answer may use the id again at once, before we get to the end of this method; still it counts as served only then.
            key = Release(call.Id!, cancellation);
            using (answer)
                await SendAsync(answer).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or VivariumException or ObjectDisposedException)
        {
            // The peer is gone; the reading side ends the connection.
        }
        finally
        {
            message.Dispose();
            lock (_gate)
            {
                _serving.Remove(key);
                if (_serving.Count == 0)
                    _allServed?.TrySetResult();
            }

            cancellation.Dispose();
        }
    }

    private void CancelServing(string id)
    {
        CancellationTokenSource? serving;
        lock (_gate)
            serving = _serving.GetValueOrDefault(id);
        try
        {
            serving?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just been answered.
        }
    }

    /// <summary>The peer has ended its side; it may be waiting for answers still.</summary>
    private async Task WaitForServedAsync()
    {
        try
        {
            await AllServed().WaitAsync(_options.LingerAfterEnd, _options.Clock, _ended.Token).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Their tokens are cancelled next.
        }
    }

    private Task AllServed()
    {
        lock (_gate)
        {
            if (_serving.Count == 0)
                return Task.CompletedTask;
            _allServed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _allServed.Task;
        }
    }

    private async Task RefuseAsync(string? id, int code, ErrorInfo info)
    {
        using var line = JsonRpcMessages.Error(id, code, info);
        await SendAsync(line).ConfigureAwait(false);
    }

    private (int Code, ErrorInfo Info) TooMany()
    {
        var error = new VivariumException(
            ErrorCode.ResourceExhausted, $"{_options.MaxConcurrentRequests} requests are running on this connection already", "Wait for one of them to end.", "too_many_requests");
        return (ErrorCodes.ToJsonRpc(error.Code), error.ToInfo());
    }

    private ErrorInfo MapError(JsonRpcCall call, Exception error) =>
        _options.MapError?.Invoke(call, error) ?? (error as VivariumException)?.ToInfo() ?? new VivariumException(ErrorCode.Internal, $"{call.Method} failed for an internal reason").ToInfo();

    private static ErrorInfo Invalid(string message, string reason) => new VivariumException(ErrorCode.InvalidArgument, message, reason: reason).ToInfo();

    private static string Shorten(string text) => text.Length <= 64 ? text : text[..64] + "…";
}
