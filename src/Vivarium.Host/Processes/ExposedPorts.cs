using Microsoft.Extensions.Logging;
using Vivarium.Host.Sandboxes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Processes;

/// <summary>Publishes the port of a launched process at the address callers reach this host by, and takes it back. Both wait for other operations of the sandbox.</summary>
internal sealed partial class ExposedPorts(HostServices host, SandboxWorkflows workflows)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(50);

    private readonly ILogger logger = host.Loggers.CreateLogger<ExposedPorts>();

    /// <summary>Publishes it at a free port of the host; one that is published there already, by a person or for another process, is shared.</summary>
    public async Task PublishAsync(Sandbox sandbox, ProcessBook book, string id, int port)
    {
        using var turn = await book.Ports.EnterAsync(CancellationToken.None).ConfigureAwait(false);
        var wanted = new PublishedPort { GuestPort = port, HostAddress = host.Config.Processes.Advertise };
        var there = sandbox.Record.Ports?.Any(p => p.GuestPort == port && p.HostAddress == wanted.HostAddress) == true;
        var ours = book.All().Any(p => p is { OwnsPort: true, Published: { } other } && other.GuestPort == port);
        var published = await InTurnAsync(() => workflows.Ports.PublishAsync(sandbox, wanted)).ConfigureAwait(false);
        book.Change(id, p => p with { Published = published, OwnsPort = !there || ours });
    }

    /// <summary>Takes the port of a process that has ended back, unless another one uses it.</summary>
    public async Task TakeBackAsync(Sandbox sandbox, ProcessBook book, string id)
    {
        using var turn = await book.Ports.EnterAsync(CancellationToken.None).ConfigureAwait(false);
        if (book.Find(id) is not { Published: { } port } process)
        {
            return;
        }

        var used = book.All().Any(p => !p.HasEnded && p.Id != id && p.Published is { } other && other.GuestPort == port.GuestPort && other.HostPort == port.HostPort);
        try
        {
            if (process.OwnsPort && !used)
            {
                await InTurnAsync(() => workflows.Ports.UnpublishAsync(sandbox, port)).ConfigureAwait(false);
            }
        }
        catch (VivariumException e) when (e.Reason is "not_published" or "destroying")
        {
            // As it should be.
        }
        catch (VivariumException e)
        {
            // The next daemon tries again.
            LogStays(e, port.GuestPort, sandbox.Record.Id.Value);
            return;
        }

        book.Change(id, static p => p with { Published = null, OwnsPort = false });
    }

    private async Task<T> InTurnAsync<T>(Func<Task<T>> work)
    {
        for (var began = host.Time.GetTimestamp(); ;)
        {
            try
            {
                return await work().ConfigureAwait(false);
            }
            catch (VivariumException e) when (e.Reason is "operation_in_progress" or "wrong_state" or "not_connected" && host.Time.GetElapsedTime(began) < Patience)
            {
                await Task.Delay(Again, host.Time).ConfigureAwait(false);
            }
        }
    }

    [LoggerMessage(EventId = 1911, Level = LogLevel.Warning, Message = "port {Port} of sandbox {SandboxId}, whose process has ended, is still published")]
    private partial void LogStays(Exception exception, int port, string sandboxId);
}
