using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Host;

namespace Vivarium.Daemon.Api;

internal sealed partial class ApiMethods
{
    private void AddOperations(JsonRpcDispatcher dispatcher) => dispatcher
        .Method(HostMethod.Operations, HostJson.Default.Empty, HostJson.Default.OperationList, (_, _, _) => new(host.Services.Operations.List()))
        .Method(HostMethod.OperationStatus, HostJson.Default.OperationParams, HostJson.Default.OperationInfo, (p, _, _) => new(host.Services.Operations.Get(p.OperationId).Info))
        .Method(HostMethod.OperationWait, HostJson.Default.OperationParams, HostJson.Default.OperationInfo, async (p, call, token) =>
        {
            var operation = host.Services.Operations.Get(p.OperationId);
            await WaitAsync(operation, call, token).ConfigureAwait(false);
            return operation.Info;
        })
        .Method(HostMethod.OperationCancel, HostJson.Default.OperationParams, HostJson.Default.OperationInfo, (p, _, _) =>
        {
            var operation = host.Services.Operations.Get(p.OperationId);
            operation.Cancel();
            return new(operation.Info);
        });
}
