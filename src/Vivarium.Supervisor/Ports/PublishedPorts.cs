using Vivarium.Supervisor.Logs;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor.Ports;

/// <summary>The published ports of this sandbox. They live and die with the supervisor; the daemon only asks for them.</summary>
internal sealed class PublishedPorts(PortConnections connections, SupervisorLog log) : IAsyncDisposable
{
    private readonly Lock gate = new();
    private readonly List<PublishedListener> listeners = [];
    private readonly TaskCompletionSource open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool closed;

    /// <summary>What is published now.</summary>
    public IReadOnlyList<PublishedPort> All
    {
        get
        {
            lock (gate)
            {
                return [.. listeners.Select(static listener => listener.Port)];
            }
        }
    }

    /// <summary>Publishes all or, when one cannot be had, none.</summary>
    /// <exception cref="VivariumException">Which one, and why.</exception>
    public async Task PublishAllAsync(IReadOnlyList<PublishedPort>? wanted)
    {
        try
        {
            foreach (var port in wanted ?? [])
            {
                Publish(port);
            }
        }
        catch
        {
            foreach (var listener in TakeAll(static _ => true))
            {
                await listener.DisposeAsync().ConfigureAwait(false);
            }

            throw;
        }
    }

    /// <summary>The sandbox runs: from now on connections are accepted, also those that have waited.</summary>
    public void Open() => open.TrySetResult();

    /// <summary>Publishes one now; what is published just so already is answered again.</summary>
    /// <exception cref="VivariumException">See <see cref="PublishedListener.Bind"/>; resource_exhausted.</exception>
    public PublishedPort Publish(PublishedPort wanted)
    {
        lock (gate)
        {
            if (closed)
            {
                throw new VivariumException(ErrorCode.FailedPrecondition, $"cannot publish guest port {wanted.GuestPort}: the sandbox is ending", reason: "not_running");
            }

            if (listeners.Find(other => IsSame(other.Port, wanted)) is { } same)
            {
                return same.Port;
            }

            if (listeners.Count >= PublishedPort.Most)
            {
                throw new VivariumException(
                    ErrorCode.ResourceExhausted, $"cannot publish guest port {wanted.GuestPort}: {PublishedPort.Most} ports are published already", "Take one back first: viv port --rm.", "too_many_ports");
            }

            var listener = Bind(wanted);
            listeners.Add(listener);
            listener.Start(open.Task, client => connections.Serve(client, listener.Port.GuestPort));
            log.Write($"guest port {listener.Port.GuestPort} is published at {listener.Port.HostAddress}:{listener.Port.HostPort}");
            return listener.Port;
        }
    }

    /// <summary>Stops listening; connections that are open stay. Host port 0: wherever the guest port is published.</summary>
    /// <exception cref="VivariumException">not_found.</exception>
    public async Task UnpublishAsync(PublishedPort which)
    {
        var gone = TakeAll(port => port.GuestPort == which.GuestPort && (which.HostPort == 0 || (port.HostPort == which.HostPort && port.HostAddress == which.HostAddress)));
        if (gone.Count == 0)
        {
            throw new VivariumException(ErrorCode.NotFound, $"guest port {which.GuestPort} is not published there", "viv port shows what is published.", "not_published");
        }

        foreach (var listener in gone)
        {
            log.Write($"guest port {listener.Port.GuestPort} is no longer published at {listener.Port.HostAddress}:{listener.Port.HostPort}");
            await listener.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            closed = true;
        }

        foreach (var listener in TakeAll(static _ => true))
        {
            await listener.DisposeAsync().ConfigureAwait(false);
        }

        await connections.DisposeAsync().ConfigureAwait(false);
    }

    private static bool IsSame(PublishedPort one, PublishedPort wanted) =>
        one.GuestPort == wanted.GuestPort && one.HostAddress == wanted.HostAddress && (one.HostPort == wanted.HostPort || wanted.HostPort == 0);

    private PublishedListener Bind(PublishedPort wanted)
    {
        try
        {
            return PublishedListener.Bind(wanted, log);
        }
        catch (VivariumException e) when (wanted.Chosen == true && e.Reason == "port_taken")
        {
            // Nobody asked for this very number: it was ours the last time, and any other does as well.
            return PublishedListener.Bind(wanted with { HostPort = 0 }, log);
        }
    }

    private List<PublishedListener> TakeAll(Func<PublishedPort, bool> which)
    {
        lock (gate)
        {
            var taken = listeners.FindAll(listener => which(listener.Port));
            listeners.RemoveAll(taken.Contains);
            return taken;
        }
    }
}
