using System.Text.Json.Serialization.Metadata;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Cli.Terminal;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary>Long work on templates: begun, waited for with progress, cancelled in the daemon by an interrupt.</summary>
internal static class TemplateOperation
{
    private static readonly TimeSpan CancelTimeout = TimeSpan.FromSeconds(30);

    /// <summary>The operation when it has succeeded; its error is thrown.</summary>
    public static OperationInfo Run<T>(Invocation call, HostConnection host, string method, T parameters, JsonTypeInfo<T> type, string title, bool quiet)
    {
        using var signals = SignalPipe.ForInterrupts();
        using var progress = new Progress(call.Messages, title, quiet);
        var begun = host.Call(method, parameters, type, HostJson.Default.BeginReply);
        var operation = new OperationParams { OperationId = begun.OperationId };
        try
        {
            return SandboxCreation.Succeeded(host.Call(
                HostMethod.OperationWait, operation, HostJson.Default.OperationParams, HostJson.Default.OperationInfo, new ConnectionWait(null, signals, progress.Tick), progress.Report));
        }
        catch (InterruptedException)
        {
            using var another = call.Connect();
            var wait = new ConnectionWait(CancelTimeout);
            another.Call(HostMethod.OperationCancel, operation, HostJson.Default.OperationParams, HostJson.Default.OperationInfo, wait);
            another.Call(HostMethod.OperationWait, operation, HostJson.Default.OperationParams, HostJson.Default.OperationInfo, wait);
            throw;
        }
    }

    /// <summary>What an open descriptor of ours is for the daemon.</summary>
    public static string PathOf(nint descriptor) => $"/proc/{Environment.ProcessId}/fd/{descriptor}";
}
