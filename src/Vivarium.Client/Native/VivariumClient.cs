using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Vivarium.Configuration;
using Vivarium.Transport.Host;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Client;

/// <summary>
/// The daemon of this machine over its Unix socket: makes, finds and lists sandboxes. <see cref="Host"/> has every other call of the daemon. May be used by several threads at once.
/// </summary>
/// <remarks>Every method throws <see cref="VivariumException"/>: a stable <see cref="VivariumException.Code"/>, a finer <see cref="VivariumException.Reason"/>, a sentence and what to do.</remarks>
public sealed class VivariumClient : IAsyncDisposable
{
    private readonly string socket;

    private VivariumClient(string socket, HostClient host)
    {
        this.socket = socket;
        Host = host;
    }

    /// <summary>The connection: every call of the daemon, typed.</summary>
    public HostClient Host { get; }

    /// <summary>Connects.</summary>
    /// <param name="socketPath">The daemon's socket; null: the one that <c>viv</c> would use for this user, from configuration file and environment.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VivariumException">unavailable: no daemon answers there.</exception>
    public static async Task<VivariumClient> ConnectAsync(string? socketPath = null, CancellationToken cancellationToken = default)
    {
        socketPath ??= Path.Combine(ConfigLoader.Load(ConfigSources.OfThisProcess()).Paths.Runtime, "vivd.sock");
        return new VivariumClient(socketPath, await HostClient.ConnectAsync(socketPath, cancellationToken: cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Makes a sandbox; it runs when this returns.</summary>
    /// <exception cref="VivariumException">already_exists, not_found (template), resource_exhausted, invalid_argument, unavailable.</exception>
    public async Task<Sandbox> CreateAsync(CreateParams? wanted = null, CancellationToken cancellationToken = default)
    {
        var info = await Host.CreateAsync(wanted ?? new CreateParams(), cancellationToken).ConfigureAwait(false);
        return new Sandbox(Host, info.Id);
    }

    /// <summary>A sandbox by name, id, external id or unambiguous prefix.</summary>
    /// <exception cref="VivariumException">not_found.</exception>
    public async Task<Sandbox> GetAsync(string reference, CancellationToken cancellationToken = default)
    {
        var info = await Host.GetAsync(reference, cancellationToken).ConfigureAwait(false);
        return new Sandbox(Host, info.Id);
    }

    /// <summary>All sandboxes, oldest first, or those that fit.</summary>
    public async Task<IReadOnlyList<SandboxInfo>> ListAsync(ListParams? wanted = null, CancellationToken cancellationToken = default) =>
        (await Host.ListAsync(wanted ?? new ListParams(), cancellationToken).ConfigureAwait(false)).Sandboxes;

    /// <summary>What happens, until the enumeration is left. It has a connection of its own.</summary>
    /// <param name="sandbox">Only of this sandbox.</param>
    /// <param name="after">Begin after this sequence number, as far back as the daemon remembers; null: only what is new.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="VivariumException">unavailable: the connection ended.</exception>
    public async IAsyncEnumerable<HostEvent> EventsAsync(string? sandbox = null, long? after = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var events = Channel.CreateUnbounded<HostEvent>(new UnboundedChannelOptions { SingleReader = true });
        var connection = await HostClient.ConnectAsync(socket, onEvent: e => events.Writer.TryWrite(e), cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            await connection.SubscribeAsync(new SubscribeParams { Ref = sandbox, After = after }, cancellationToken).ConfigureAwait(false);
            _ = connection.Ended.ContinueWith(_ => events.Writer.TryComplete(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            await foreach (var e in events.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                yield return e;
            }
        }

        throw new VivariumException(ErrorCode.Unavailable, "the connection to the daemon ended", "Subscribe again after the last sequence number that was seen.", "closed_early");
    }

    /// <summary>Closes the connection. Sandboxes go on.</summary>
    public ValueTask DisposeAsync() => Host.DisposeAsync();
}
