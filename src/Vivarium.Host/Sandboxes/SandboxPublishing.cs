using Vivarium.Host.Supervision;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Sandboxes;

/// <summary>
/// Publishes ports of a sandbox and takes them back. The listener is the supervisor's, the record says what to publish at the next start. The supervisor acts
/// first: a daemon that dies in between finds the truth there when it re-attaches.
/// </summary>
internal sealed class SandboxPublishing(HostServices host)
{
    /// <summary>Publishes now, or at the next start of a sandbox that does not run.</summary>
    public Task<PublishedPort> PublishAsync(Sandbox sandbox, PublishedPort wanted) => sandbox.PerformAsync(GateRules.PublishPort, async token =>
    {
        var port = PortRules.Check(wanted);
        var before = sandbox.Record.Ports ?? [];
        if (before.FirstOrDefault(p => p.GuestPort == port.GuestPort && p.HostAddress == port.HostAddress && (port.HostPort == 0 || p.HostPort == port.HostPort)) is { } same)
        {
            return same;
        }

        if (before.Count >= PublishedPort.Most)
        {
            throw new VivariumException(
                ErrorCode.ResourceExhausted,
                $"publishing a port of sandbox {sandbox.Record.Name}: {PublishedPort.Most} ports are published already",
                $"Take one back first: viv port --rm {sandbox.Record.Name} GUEST",
                "too_many_ports");
        }

        var link = Link(sandbox, "publishing a port of");
        var published = link is null ? port : await link.PublishAsync(port, token).ConfigureAwait(false);
        try
        {
            await RecordAsync(sandbox, [.. before, published]).ConfigureAwait(false);
        }
        catch
        {
            if (link is not null)
            {
                await link.UnpublishAsync(published, token).ConfigureAwait(false);
            }

            throw;
        }

        host.Events.Publish("sandbox.port_published", sandbox.Record, message: $"guest port {published.GuestPort} at {published.HostAddress}:{published.HostPort}");
        return published;
    });

    /// <summary>Takes a port back; host port 0 means every host port that leads to the guest port. Connections that are open stay.</summary>
    public Task<bool> UnpublishAsync(Sandbox sandbox, PublishedPort which) => sandbox.PerformAsync(GateRules.UnpublishPort, async token =>
    {
        var port = PortRules.Check(which);
        var before = sandbox.Record.Ports ?? [];
        List<PublishedPort> gone = [.. before.Where(p => p.GuestPort == port.GuestPort && (port.HostPort == 0 || (p.HostPort == port.HostPort && p.HostAddress == port.HostAddress)))];
        if (gone.Count == 0)
        {
            throw new VivariumException(
                ErrorCode.NotFound,
                $"unpublishing a port of sandbox {sandbox.Record.Name}: guest port {port.GuestPort} is not published" + (port.HostPort == 0 ? "" : $" at {port.HostAddress}:{port.HostPort}"),
                $"viv port {sandbox.Record.Name} shows what is.",
                "not_published");
        }

        try
        {
            if (Link(sandbox, "unpublishing a port of") is { } link)
            {
                await link.UnpublishAsync(port, token).ConfigureAwait(false);
            }
        }
        catch (VivariumException e) when (e.Reason == "not_published")
        {
            // Taken back there already, and the record not yet written: that is what is done now.
        }

        await RecordAsync(sandbox, [.. before.Except(gone)]).ConfigureAwait(false);
        foreach (var one in gone)
        {
            host.Events.Publish("sandbox.port_unpublished", sandbox.Record, message: $"guest port {one.GuestPort} at {one.HostAddress}:{one.HostPort}");
        }

        return true;
    });

    private static SupervisorLink? Link(Sandbox sandbox, string verb) => SandboxStates.HasEnded(sandbox.Record.State) || sandbox.Record.OnDisk ? null : sandbox.RequireLink(verb);

    private async Task RecordAsync(Sandbox sandbox, IReadOnlyList<PublishedPort> ports)
    {
        var next = sandbox.Record with { Ports = ports.Count == 0 ? null : ports };
        await host.Table.UpdateAsync(next).ConfigureAwait(false);
        sandbox.Publish(next);
    }
}
