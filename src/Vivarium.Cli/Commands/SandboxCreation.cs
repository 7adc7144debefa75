using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Terminal;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary>Creates a sandbox with progress. An interrupt cancels the creation in the daemon, so that nothing stays behind.</summary>
internal static class SandboxCreation
{
    private static readonly TimeSpan CancelTimeout = TimeSpan.FromSeconds(30);

    public static SandboxInfo Create(HostConnection host, CreateParams parameters, Invocation call, SignalPipe signals, bool quiet)
    {
        using var progress = new Progress(call.Messages, "making the sandbox", quiet);
        var begun = host.Call(HostMethod.BeginCreate, parameters, HostJson.Default.CreateParams, HostJson.Default.BeginReply, new ConnectionWait(null, signals));
        var operation = new OperationParams { OperationId = begun.OperationId };
        OperationInfo ended;
        try
        {
            ended = host.Call(
                HostMethod.OperationWait,
                operation,
                HostJson.Default.OperationParams,
                HostJson.Default.OperationInfo,
                new ConnectionWait(null, signals, progress.Tick),
                progress.Report);
        }
        catch (InterruptedException)
        {
            Cancel(call, operation);
            throw;
        }

        var id = Succeeded(ended).SandboxId ?? throw new VivariumException(ErrorCode.Internal, "the daemon did not say which sandbox it made");
        return host.Call(HostMethod.Get, new RefParams { Ref = id }, HostJson.Default.RefParams, HostJson.Default.SandboxInfo);
    }

    /// <summary>The operation, or its error thrown.</summary>
    public static OperationInfo Succeeded(OperationInfo operation) => operation.Status == "succeeded" ? operation
        : operation.Error is { } error ? throw new RemoteException(error with { OperationId = error.OperationId ?? operation.OperationId })
        : throw new VivariumException(ErrorCode.Canceled, $"{operation.Kind} was cancelled");

    /// <summary>Stops the work, and takes away what had been made if it was just too late.</summary>
    private static void Cancel(Invocation call, OperationParams operation)
    {
        try
        {
            using var host = call.Connect();
            var wait = new ConnectionWait(CancelTimeout);
            host.Call(HostMethod.OperationCancel, operation, HostJson.Default.OperationParams, HostJson.Default.OperationInfo, wait);
            var ended = host.Call(HostMethod.OperationWait, operation, HostJson.Default.OperationParams, HostJson.Default.OperationInfo, wait);
            if (ended is { Status: "succeeded", SandboxId: { } id })
            {
                host.Call(HostMethod.Destroy, new DestroyParams { Ref = id, Force = true, Now = true }, HostJson.Default.DestroyParams, HostJson.Default.Empty, wait);
            }
        }
        catch (Exception e) when (e is RemoteException or VivariumException)
        {
            call.Messages.Line($"viv: cancelling failed: {e.Message}; 'viv ls' shows what is there").Flush();
        }
    }
}
