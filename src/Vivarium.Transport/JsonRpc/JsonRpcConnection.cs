using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Transport.Lines;
using Vivarium.Wire.Errors;

namespace Vivarium.Transport.JsonRpc;

/// <summary>
/// One JSON-RPC 2.0 connection (https://www.jsonrpc.org/specification), a message a line. Both sides may call; requests run concurrently;
/// <c>$/cancelRequest {"id"}</c> gives one up. Batches are refused.
/// </summary>
public sealed partial class JsonRpcConnection : IAsyncDisposable
{
    internal const string CancelMethod = "$/cancelRequest";

    private static readonly JsonRpcDispatcher NoMethods = new();

    private readonly Lock _gate = new();
    private readonly LineStream _stream;
    private readonly LineQueue _outgoing;
    private readonly JsonRpcDispatcher _dispatcher;
    private readonly JsonRpcOptions _options;
    private readonly Dictionary<long, PendingRequest> _pending = [];
    private readonly Dictionary<string, CancellationTokenSource> _serving = [];
    private readonly CancellationTokenSource _ended = new();
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _allServed;
    private VivariumException? _failure;
    private long _lastId;
    private long _answers;
    private int _started;

    /// <summary>Wraps a stream (which it owns from now on). Nothing is read before <see cref="Start"/> or <see cref="RunAsync"/>.</summary>
    public JsonRpcConnection(DuplexStream stream, JsonRpcDispatcher? dispatcher = null, JsonRpcOptions? options = null)
    {
        _stream = stream as LineStream ?? new LineStream(stream);
        _outgoing = new LineQueue(_stream);
        _dispatcher = dispatcher ?? NoMethods;
        _options = options ?? new JsonRpcOptions();
    }

    /// <summary>Completes (never faults) when the connection has ended and every request of the peer has been answered or cancelled.</summary>
    public Task Completed => _completed.Task;

    /// <summary>Cancelled when the connection has ended.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>Whatever its owner wants to remember with it, for example the peer's credentials.</summary>
    public object? State { get; set; }

    /// <summary>Reads messages in the background from now on.</summary>
    public void Start() => _ = RunAsync(CancellationToken.None); // Ends with the stream or with DisposeAsync.

    /// <summary>Reads and serves until the connection ends.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _started, 1) != 0)
            throw new InvalidOperationException("the connection is being read already");
        await using var registration = cancellationToken.UnsafeRegister(static c => ((JsonRpcConnection)c!).Abort(), this).ConfigureAwait(false);
        VivariumException? cause = null;
        try
        {
            await ReadMessagesAsync().ConfigureAwait(false);
            await WaitForServedAsync().ConfigureAwait(false);
        }
        catch (VivariumException e)
        {
            cause = e;
        }
        catch (Exception e)
        {
            cause = new VivariumException(ErrorCode.Unavailable, "the connection broke", reason: "connection_broken", inner: e);
        }

        await EndAsync(cause ?? new VivariumException(ErrorCode.Unavailable, "the other side closed the connection", reason: "connection_closed")).ConfigureAwait(false);
    }

    /// <summary>Calls a method of the peer. Unknown members of the result are skipped.</summary>
    /// <exception cref="VivariumException">What the peer answered, or unavailable when the connection ended before it answered.</exception>
    public async Task<TResult> RequestAsync<TParams, TResult>(
        string method,
        TParams parameters,
        JsonTypeInfo<TParams> parametersType,
        JsonTypeInfo<TResult> resultType,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var pending = new PendingRequest();
        long id;
        lock (_gate)
        {
            if (_failure is not null)
                throw _failure;
            id = ++_lastId;
            _pending.Add(id, pending);
        }

        try
        {
            using (var line = JsonRpcMessages.Request(id, method, parameters, parametersType))
                await SendAsync(line).WaitAsync(cancellationToken).ConfigureAwait(false);
            using var answer = await pending.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            return JsonRpcMessages.ReadResult(method, answer.RootElement, JsonTypes.Tolerant(resultType));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            using var line = JsonRpcMessages.Cancel(id);
            _outgoing.TryWrite(line.Memory.Span, _options.MaxBacklogBytes);
            throw;
        }
        finally
        {
            lock (_gate)
                _pending.Remove(id);
        }
    }

    /// <summary>Sends a notification; completes when it has been handed to the transport.</summary>
    public async Task NotifyAsync<TParams>(string method, TParams parameters, JsonTypeInfo<TParams> parametersType, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var line = JsonRpcMessages.Request(null, method, parameters, parametersType);
        await SendAsync(line).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends a notification without waiting; false when the peer reads too slowly or the connection has ended.</summary>
    public bool TryNotify<TParams>(string method, TParams parameters, JsonTypeInfo<TParams> parametersType)
    {
        using var line = JsonRpcMessages.Request(null, method, parameters, parametersType);
        return _outgoing.TryWrite(line.Memory.Span, _options.MaxBacklogBytes);
    }

    /// <summary>Ends the connection: requests under way on either side are cancelled.</summary>
    public async ValueTask DisposeAsync()
    {
        Abort();
        if (Volatile.Read(ref _started) == 0)
            await EndAsync(Closed()).ConfigureAwait(false);
        await _completed.Task.ConfigureAwait(false);
    }

    private static VivariumException Closed() => new(ErrorCode.Unavailable, "the connection was closed on this side", reason: "connection_closed");

    private Task SendAsync(JsonLine line) => _outgoing.WriteAsync(line.Memory.Span);

    private void Abort()
    {
        lock (_gate)
            _failure ??= Closed();
        _ended.Cancel();
        _ = _stream.DisposeAsync().AsTask();
    }

    private async Task EndAsync(VivariumException cause)
    {
        PendingRequest[] pending;
        lock (_gate)
        {
            cause = _failure ??= cause;
            pending = [.. _pending.Values];
        }

        foreach (var request in pending)
            request.TrySetException(cause);
        _outgoing.Fail(cause);
        await _ended.CancelAsync().ConfigureAwait(false);
        await AllServed().ConfigureAwait(false);
        await _stream.DisposeAsync().ConfigureAwait(false);
        _completed.TrySetResult();
    }

    private sealed class PendingRequest() : TaskCompletionSource<JsonDocument>(TaskCreationOptions.RunContinuationsAsynchronously);
}
