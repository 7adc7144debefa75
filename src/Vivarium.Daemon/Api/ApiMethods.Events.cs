using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Daemon.Api;

internal sealed partial class ApiMethods
{
    private void AddEvents(JsonRpcDispatcher dispatcher) =>
        dispatcher.Method(HostMethod.Events, HostJson.Default.SubscribeParams, HostJson.Default.Empty, Subscribe);

    /// <summary>
    /// Remembered events go out before the answer, new ones after it. A subscriber that does not read is disconnected rather than silently losing some: it may come
    /// back with the last sequence number it saw.
    /// </summary>
    private ValueTask<Empty> Subscribe(SubscribeParams p, JsonRpcCall call, CancellationToken cancellationToken)
    {
        var only = p.Ref is null ? null : host.Services.Catalog.Find(p.Ref)?.Record.Id.Value ?? p.Ref;
        var connection = call.Connection;
        if (p.Once)
        {
            foreach (var e in host.Services.Events.After(p.After ?? 0).Where(Wanted))
            {
                Send(e);
            }

            return new(new Empty());
        }

        var subscription = host.Services.Events.Subscribe(p.After, e =>
        {
            if (Wanted(e))
            {
                Send(e);
            }
        });
        connection.Completed.ContinueWith(_ => subscription.Dispose(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return new(new Empty());

        bool Wanted(HostEvent e) => only is null || e.SandboxId == only || e.SandboxName == only;

        void Send(HostEvent e)
        {
            if (!connection.TryNotify(HostMethod.EventNotification, e, HostJson.Default.HostEvent) && !connection.Ended.IsCancellationRequested)
            {
                // Not awaited: this is called under the log's lock.
                _ = connection.DisposeAsync().AsTask();
            }
        }
    }
}
