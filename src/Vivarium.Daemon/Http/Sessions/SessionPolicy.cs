using System.Globalization;
using Vivarium.Daemon.Http.Connect;
using Vivarium.Daemon.Http.Metrics;
using Vivarium.Host.Naming;
using Vivarium.Host.Operations;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Sessions;

namespace Vivarium.Daemon.Http.Sessions;

/// <summary>Token, version, errors and measures of the session service's calls.</summary>
internal sealed partial class SessionPolicy(SessionTokens tokens, DaemonMeter meter, ILogger<SessionPolicy> logger) : IConnectPolicy
{
    private static readonly string Version = "v" + SessionMethod.Version.ToString(CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public void Stamp(HttpResponse response) => response.Headers[SessionMethod.VersionHeader] = Version;

    /// <inheritdoc/>
    public object Admit(HttpRequest request)
    {
        var caller = tokens.Admit(request.Headers.Authorization is [{ } authorization] ? authorization : null);
        if (request.Headers[SessionMethod.VersionHeader] is [{ Length: > 0 } version, ..])
        {
            if (version[0] != 'v' || !int.TryParse(version.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                throw new VivariumException(ErrorCode.InvalidArgument, $"{SessionMethod.VersionHeader} must be like v1, not {NameRules.Quote(version)}", null, "bad_version");
            }

            if (number < SessionMethod.OldestVersion)
            {
                throw new VivariumException(
                    ErrorCode.FailedPrecondition, $"unsupported API version: got v{number}, minimum v{SessionMethod.OldestVersion}", "Use a newer client.", "version_not_served");
            }
        }

        return caller;
    }

    /// <inheritdoc/>
    public ErrorInfo Explain(string method, Exception exception)
    {
        var id = OperationRegistry.IdOf(exception) ?? OperationRegistry.NewId();
        switch (exception)
        {
            case VivariumException { Code: ErrorCode.Internal or ErrorCode.DataLoss, Reason: not "bad_envelope" } ours:
                LogDefect(ours, method, id);
                return ours.ToInfo(id);
            case VivariumException ours:
                LogRefused(method, id, ours.Code, ours.Message);
                return ours.ToInfo(id);
            case OperationCanceledException:
                return new VivariumException(ErrorCode.Canceled, $"{method} was given up", null, "canceled", exception).ToInfo(id);
            default:
                LogDefect(exception, method, id);
                return OperationRegistry.Internal(method, exception).ToInfo(id);
        }
    }

    /// <inheritdoc/>
    public void Served(string method, TimeSpan took, string code) => meter.SessionServed(method, took, code);

    [LoggerMessage(EventId = 2401, Level = LogLevel.Error, Message = "session service: {Method} failed ({OperationId})")]
    private partial void LogDefect(Exception exception, string method, string operationId);

    [LoggerMessage(EventId = 2402, Level = LogLevel.Debug, Message = "session service: {Method} refused ({OperationId}): {Code}: {Reason}")]
    private partial void LogRefused(string method, string operationId, ErrorCode code, string reason);
}
