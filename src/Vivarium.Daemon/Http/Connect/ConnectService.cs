using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Connect;

/// <summary>
/// The methods of one service over the Connect protocol with JSON: unary calls and server streams, <c>POST /SERVICE/METHOD</c>. Source: the specification of the Connect
/// protocol, version 1.
/// </summary>
/// <remarks>
/// A method's token ends with the caller or with its deadline, and only its waiting ends then: what was begun on a sandbox goes on, for its life is the sandbox's.
/// </remarks>
internal sealed class ConnectService(string name, IConnectPolicy policy, int maxMessage, TimeProvider time)
{
    private const string UnaryType = "application/json";
    private const string StreamType = "application/connect+json";
    private readonly List<(string Method, RequestDelegate Serve)> methods = [];

    /// <summary>Adds a method with one answer.</summary>
    public ConnectService Unary<TRequest, TResponse>(
        string method, JsonTypeInfo<TRequest> request, JsonTypeInfo<TResponse> response, Func<TRequest, ConnectCall, CancellationToken, Task<TResponse>> serve)
    {
        methods.Add((method, context => ServeAsync(context, method, UnaryType, "content-encoding", UnaryFailedAsync, async (call, token) =>
        {
            var message = await ConnectRequest.ReadAsync(context.Request, request, maxMessage, token).ConfigureAwait(false);
            var answer = await serve(message, call, token).ConfigureAwait(false);
            var body = JsonSerializer.SerializeToUtf8Bytes(answer, response);
            if (body.Length > maxMessage)
            {
                throw new VivariumException(
                    ErrorCode.ResourceExhausted, $"the answer is larger than the {maxMessage} bytes that are allowed", "Ask for less at a time, or raise sessions.max_message.", "message_too_large");
            }

            context.Response.ContentType = UnaryType;
            context.Response.ContentLength = body.Length;
            await context.Response.Body.WriteAsync(body, context.RequestAborted).ConfigureAwait(false);
        })));
        return this;
    }

    /// <summary>Adds a method that answers with a stream.</summary>
    public ConnectService ServerStream<TRequest, TMessage>(
        string method, JsonTypeInfo<TRequest> request, JsonTypeInfo<TMessage> messages, Func<TRequest, ConnectCall, ConnectSink<TMessage>, CancellationToken, Task> serve)
    {
        methods.Add((method, context => ServeAsync(context, method, StreamType, "connect-content-encoding", StreamFailedAsync, async (call, token) =>
        {
            var message = await ConnectRequest.ReadEnvelopeAsync(context.Request, request, maxMessage, token).ConfigureAwait(false);
            context.Response.ContentType = StreamType;
            await context.Response.StartAsync(token).ConfigureAwait(false);
            var sink = new ConnectSink<TMessage>(messages, maxMessage);
            var serving = CompleteAsync(sink, serve(message, call, sink, token));
            try
            {
                await sink.DrainAsync(context.Response, context.RequestAborted).ConfigureAwait(false);
            }
            finally
            {
                // The caller's leaving ends its waiting too; what it threw is what the stream ends with.
                await serving.ConfigureAwait(false);
            }

            await WriteEndAsync(context, null).ConfigureAwait(false);
        })));
        return this;
    }

    /// <summary>Adds the routes.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        foreach (var (method, serve) in methods)
        {
            routes.Map($"/{name}/{method}", serve);
        }

        routes.Map($"/{name}/{{**method}}", context => LoopbackHosts.Allow(context)
            ? ConnectAnswer.WriteErrorAsync(
                context, new ErrorInfo { Code = "unimplemented", Message = $"{name} has no such method", Hint = "docs/session-service.md lists them.", Reason = "no_such_method" }, StatusCodes.Status404NotFound)
            : ForbidAsync(context));
    }

    private async Task ServeAsync(
        HttpContext context, string method, string contentType, string encodingHeader, Func<HttpContext, ErrorInfo, Task> failed, Func<ConnectCall, CancellationToken, Task> serve)
    {
        if (!LoopbackHosts.Allow(context))
        {
            await ForbidAsync(context).ConfigureAwait(false);
            return;
        }

        policy.Stamp(context.Response);
        if (!HttpMethods.IsPost(context.Request.Method))
        {
            context.Response.Headers.Allow = HttpMethods.Post;
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            return;
        }

        if (!ConnectRequest.Has(context.Request, contentType))
        {
            context.Response.Headers["Accept-Post"] = contentType;
            context.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return;
        }

        var began = time.GetTimestamp();
        var code = "ok";
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        TimeSpan? patience = null;
        try
        {
            var caller = policy.Admit(context.Request);
            patience = ConnectRequest.Check(context.Request, encodingHeader);
            using var deadline = patience is { } limit ? new CancellationTokenSource(limit, time) : null;
            using var link = deadline?.Token.Register(waiting.Cancel);
            await serve(new ConnectCall(method, caller), waiting.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody is left to be told.
            code = "canceled";
        }
        catch (Exception e)
        {
            var error = policy.Explain(method, e is OperationCanceledException && patience is { } limit && waiting.IsCancellationRequested ? Late(method, limit, e) : e);
            code = error.Code;
            if (error.Reason == "unknown_compression")
            {
                context.Response.Headers.AcceptEncoding = "identity";
            }

            if (!context.RequestAborted.IsCancellationRequested)
            {
                await failed(context, error).ConfigureAwait(false);
            }
        }
        finally
        {
            policy.Served(method, time.GetElapsedTime(began), code);
        }
    }

    private static VivariumException Late(string method, TimeSpan limit, Exception e) => new(
        ErrorCode.DeadlineExceeded,
        $"{method} took longer than the {limit.TotalMilliseconds:0} ms its caller waits",
        "What it began goes on; ask for the session's state, or repeat a tool call with the same ToolCallID to get its result.",
        "deadline",
        e);

    private static async Task CompleteAsync<T>(ConnectSink<T> sink, Task serving)
    {
        try
        {
            await serving.ConfigureAwait(false);
        }
        finally
        {
            sink.Complete();
        }
    }

    private static Task UnaryFailedAsync(HttpContext context, ErrorInfo error) =>
        context.Response.HasStarted ? Task.CompletedTask : ConnectAnswer.WriteErrorAsync(context, error);

    /// <summary>A stream's status is always 200; how it went is in its last message.</summary>
    private static async Task StreamFailedAsync(HttpContext context, ErrorInfo error)
    {
        if (!context.Response.HasStarted)
        {
            context.Response.ContentType = StreamType;
        }

        await WriteEndAsync(context, ConnectAnswer.Error(error)).ConfigureAwait(false);
    }

    private static async Task WriteEndAsync(HttpContext context, ConnectError? error)
    {
        var frame = ConnectSink<ConnectEndStream>.Frame(new ConnectEndStream { Error = error }, SessionJson.Wire.ConnectEndStream, ConnectEndStream.Flag);
        await context.Response.BodyWriter.WriteAsync(frame, context.RequestAborted).ConfigureAwait(false);
    }

    private static Task ForbidAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        return Task.CompletedTask;
    }
}
