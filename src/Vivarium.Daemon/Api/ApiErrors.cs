using Vivarium.Host.Operations;
using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Errors;

namespace Vivarium.Daemon.Api;

/// <summary>Every error a client sees carries an operation id, and the log has the same id with the whole chain of causes.</summary>
internal sealed partial class ApiErrors(ILogger<ApiErrors> logger)
{
    /// <summary>Translates and logs.</summary>
    public ErrorInfo Map(JsonRpcCall call, Exception exception)
    {
        var id = OperationRegistry.IdOf(exception) ?? OperationRegistry.NewId();
        switch (exception)
        {
            case VivariumException { Code: ErrorCode.Internal or ErrorCode.DataLoss } ours:
                LogDefect(ours, call.Method, id);
                return ours.ToInfo(id);
            case VivariumException ours:
                LogRefused(call.Method, id, ours.Code, ours.Message);
                return ours.ToInfo(id);
            case OperationCanceledException:
                return new VivariumException(ErrorCode.Canceled, $"{call.Method} was given up by its caller", null, "canceled", exception).ToInfo(id);
            default:
                LogDefect(exception, call.Method, id);
                return OperationRegistry.Internal(call.Method, exception).ToInfo(id);
        }
    }

    [LoggerMessage(EventId = 2011, Level = LogLevel.Error, Message = "{Method} failed ({OperationId})")]
    private partial void LogDefect(Exception exception, string method, string operationId);

    [LoggerMessage(EventId = 2012, Level = LogLevel.Debug, Message = "{Method} refused ({OperationId}): {Code}: {Reason}")]
    private partial void LogRefused(string method, string operationId, ErrorCode code, string reason);
}
