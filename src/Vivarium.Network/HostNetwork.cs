using System.Net;
using System.Net.Sockets;
using Vivarium.Linux.Netlink;
using Vivarium.Network.Addressing;
using Vivarium.Network.Dns;
using Vivarium.Network.Firewall;
using Vivarium.Wire.Errors;

namespace Vivarium.Network;

/// <summary>
/// The host's side of every sandbox's network: bridge, firewall, name server. It holds what is wanted; the kernel is brought to it by one change at a time, and as a whole when
/// a change does not apply (somebody flushed the rules) or a new daemon begins. Nothing is made before the first sandbox needs it.
/// </summary>
public sealed class HostNetwork : IAsyncDisposable
{
    private readonly NetworkOptions options;
    private readonly FirewallText firewall;
    private readonly HostInterfaces interfaces;
    private readonly NameServers servers;
    private readonly Directory directory;
    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly Lock gate = new();
    private readonly Dictionary<string, SandboxNetwork> wanted = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SandboxNetwork> applied = new(StringComparer.Ordinal);
    private DnsForwarder? forwarder;
    private List<string> changing = [];
    private SandboxNetwork? opening;
    private bool prepared;

    /// <summary>Makes nothing yet.</summary>
    public HostNetwork(NetworkOptions options)
    {
        this.options = options;
        Pool = new AddressPool(options.Pool4, options.Pool6);
        firewall = new FirewallText(options);
        interfaces = new HostInterfaces(options);
        servers = new NameServers(options.Upstreams);
        directory = new Directory(this);
    }

    /// <summary>The addresses.</summary>
    public AddressPool Pool { get; }

    /// <summary>Largest packet of a sandbox.</summary>
    public int Mtu => interfaces.Mtu;

    /// <summary>Whether bridge and rules have been made by this daemon.</summary>
    public bool IsPrepared => Volatile.Read(ref prepared);

    /// <summary>Whether IPv6 packets of sandboxes can leave; known once prepared.</summary>
    public bool ForwardsV6 => interfaces.ForwardsV6;

    /// <summary>Whether a bridge is there that an earlier daemon made.</summary>
    public bool IsLeftOver => !IsPrepared && Links.Find(options.Bridge) is { Kind: "bridge" };

    /// <summary>The name servers asked, for people.</summary>
    public string Servers => servers.ToString();

    /// <summary>What uses the pool's addresses besides us; null when nothing does.</summary>
    public string? Conflict() => interfaces.Conflict();

    /// <summary>Path of the program that applies rules; null when it is missing.</summary>
    public static string? FirewallProgram => Nft.Find();

    /// <summary>Reads name servers from a configured text; null when it is malformed.</summary>
    public static IReadOnlyList<IPEndPoint>? ParseServers(string text) => NameServers.ParseList(text);

    /// <summary>Adds sandboxes that were there before this daemon, or changes what is known of them, without touching the kernel yet.</summary>
    public void Expect(SandboxNetwork sandbox)
    {
        lock (gate)
        {
            wanted[sandbox.Id] = sandbox;
        }
    }

    /// <summary>Opens the network of a sandbox: when this returns, its addresses are pinned and its policy holds. Repeating it changes nothing.</summary>
    /// <exception cref="VivariumException">What keeps it from being enforced.</exception>
    public async Task OpenAsync(SandboxNetwork sandbox, CancellationToken cancellationToken)
    {
        Expect(sandbox);
        await SettleAsync(sandbox.Id, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Changes the policy of a sandbox and cuts the flows it no longer allows; returns how many.</summary>
    public async Task<int> ChangeAsync(SandboxNetwork sandbox, CancellationToken cancellationToken)
    {
        await OpenAsync(sandbox, cancellationToken).ConfigureAwait(false);
        return Cut([sandbox]);
    }

    /// <summary>Closes the network of a sandbox and frees its address.</summary>
    public async Task CloseAsync(string id, CancellationToken cancellationToken)
    {
        SandboxNetwork? before;
        lock (gate)
        {
            wanted.Remove(id, out before);
        }

        if (before is not null && IsPrepared)
        {
            await SettleAsync(id, cancellationToken).ConfigureAwait(false);
            interfaces.Forget(before.Address);
            Connections.Delete(c => c.From.Equals(before.Address.V4) || c.From.Equals(before.Address.V6));
        }

        Pool.Free(id);
    }

    /// <summary>Brings the kernel to what is wanted, whatever it has now. For the start of a daemon and from time to time.</summary>
    public async Task ReconcileAsync(CancellationToken cancellationToken)
    {
        await turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (Snapshot().Count > 0 || prepared)
            {
                var there = prepared && Matches() && await Nft.HasTableAsync(options.Table, cancellationToken).ConfigureAwait(false);
                await PrepareAsync(there, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Takes everything off the host again when no sandbox needs it; returns whether it did.</summary>
    public async Task<bool> RemoveAsync(CancellationToken cancellationToken)
    {
        await turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (Snapshot().Count > 0)
            {
                return false;
            }

            await StopNamesAsync().ConfigureAwait(false);
            if (prepared || Links.Find(options.Bridge) is { Kind: "bridge" })
            {
                await Nft.ApplyAsync(firewall.Remove(), cancellationToken).ConfigureAwait(false);
                interfaces.Remove();
            }

            applied.Clear();
            prepared = false;
            return true;
        }
        finally
        {
            turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopNamesAsync().ConfigureAwait(false);
        turn.Dispose();
    }

    private async Task StopNamesAsync()
    {
        if (Interlocked.Exchange(ref forwarder, null) is { } running)
        {
            await running.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task SettleAsync(string id, CancellationToken cancellationToken)
    {
        await turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!prepared)
            {
                await PrepareAsync(rulesAreThere: false, cancellationToken).ConfigureAwait(false);
                return;
            }

            if (Script(id) is { Length: > 0 } script)
            {
                try
                {
                    await Nft.ApplyAsync(script, cancellationToken).ConfigureAwait(false);
                }
                catch (VivariumException e) when (e.Reason == "firewall_failed")
                {
                    // Somebody changed our tables: all anew, or the error for good.
                    await ApplyWholeAsync(cancellationToken).ConfigureAwait(false);
                }

                Note();
            }
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task PrepareAsync(bool rulesAreThere, CancellationToken cancellationToken)
    {
        // Rules before the bridge is up: there is no instant in which a packet is not looked at.
        if (!rulesAreThere)
        {
            await ApplyWholeAsync(cancellationToken).ConfigureAwait(false);
        }

        interfaces.Prepare();
        var sandboxes = Snapshot();
        interfaces.Sweep(sandboxes);
        foreach (var sandbox in sandboxes)
        {
            interfaces.Fix(sandbox.Address);
        }

        StartNames();
        Volatile.Write(ref prepared, true);
    }

    private void StartNames()
    {
        if (forwarder is not null)
        {
            return;
        }

        var gateway = Pool.Gateway;
        try
        {
            forwarder = new DnsForwarder(
                gateway.V6 is null ? [gateway.V4] : [gateway.V4, gateway.V6], 53, options.Domain, directory, servers, options.RouteTable > 0 ? gateway.V4 : null);
        }
        catch (SocketException e)
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"setting up the network: port 53 of {gateway.V4} cannot be used for the sandboxes' name server: {e.Message}",
                "Another name server listens on every address of this machine; let it listen on its own only (dnsmasq: bind-interfaces).",
                "dns_port_taken",
                e);
        }
    }

    private async Task ApplyWholeAsync(CancellationToken cancellationToken)
    {
        var sandboxes = Snapshot();
        var chains = await Nft.ChainsAsync(options.Table, cancellationToken).ConfigureAwait(false);
        try
        {
            await Nft.ApplyAsync(firewall.Whole(sandboxes, AddressOf, chains), cancellationToken).ConfigureAwait(false);
        }
        catch (VivariumException e) when (e.Reason == "firewall_failed")
        {
            // What is there is another version's or somebody else's, and ours does not fit into it.
            await Nft.ApplyAsync(firewall.Remove() + firewall.Whole(sandboxes, AddressOf, []), cancellationToken).ConfigureAwait(false);
        }

        applied.Clear();
        foreach (var sandbox in sandboxes)
        {
            applied[sandbox.Id] = sandbox;
        }

        // A daemon that died between a change and the cut it wanted leaves flows its rules no longer allow.
        Cut(sandboxes);
    }

    /// <summary>What brings the rules of one sandbox, and of those that may reach it by name, to what is wanted.</summary>
    private string Script(string id)
    {
        var before = applied.GetValueOrDefault(id);
        SandboxNetwork? after;
        List<SandboxNetwork> friends;
        lock (gate)
        {
            after = wanted.GetValueOrDefault(id);
            var names = new[] { before?.Name, after?.Name };
            friends = before is null != after is null ? [.. wanted.Values.Where(w => w.Id != id && applied.ContainsKey(w.Id) && w.Policy.Peers.Any(names.Contains))] : [];
        }

        var script = (before, after) switch
        {
            (null, null) => "",
            (null, { } opened) => firewall.Open(opened, AddressOf),
            ({ } closed, null) => firewall.Close(closed),
            var (old, next) => old == next ? "" : firewall.Change(old!, next!, AddressOf),
        };
        changing = [.. friends.Select(static f => f.Id), id];
        opening = before is null ? after : null;
        return script + string.Concat(friends.Select(f => firewall.Change(applied[f.Id], f, AddressOf)));
    }

    private void Note()
    {
        lock (gate)
        {
            foreach (var id in changing)
            {
                if (wanted.TryGetValue(id, out var now))
                {
                    applied[id] = now;
                }
                else
                {
                    applied.Remove(id);
                }
            }
        }

        if (opening is not null)
        {
            interfaces.Fix(opening.Address);
        }
    }

    /// <summary>Forgets the flows of these sandboxes that their policies do not allow; returns how many.</summary>
    private int Cut(IEnumerable<SandboxNetwork> sandboxes)
    {
        var owners = new Dictionary<IPAddress, SandboxNetwork>();
        foreach (var sandbox in sandboxes)
        {
            owners[sandbox.Address.V4] = sandbox;
            if (sandbox.Address.V6 is { } six)
            {
                owners[six] = sandbox;
            }
        }

        return owners.Count == 0 ? 0 : Connections.Delete(c =>
            owners.TryGetValue(c.From, out var owner) && !IsOwnServer(c) && !owner.Policy.Allows(c.To, c.Protocol, c.Port, options.Pool4, options.Pool6, AddressOf));
    }

    private bool IsOwnServer(Connection connection) => connection.Port == 53 && (connection.To.Equals(Pool.Gateway.V4) || connection.To.Equals(Pool.Gateway.V6));

    private SandboxAddress? AddressOf(string name)
    {
        lock (gate)
        {
            return wanted.Values.FirstOrDefault(w => w.Name == name)?.Address;
        }
    }

    /// <summary>Whether the last change of every sandbox was applied; one that failed is tried again with the whole.</summary>
    private bool Matches()
    {
        lock (gate)
        {
            return applied.Count == wanted.Count && wanted.All(w => applied.TryGetValue(w.Key, out var a) && a == w.Value);
        }
    }

    private List<SandboxNetwork> Snapshot()
    {
        lock (gate)
        {
            return [.. wanted.Values];
        }
    }

    private sealed class Directory(HostNetwork network) : IDnsDirectory
    {
        public (bool Known, bool Outside) Asker(IPAddress from) => Find(from) is { } sandbox ? (true, sandbox.Policy.Dns) : (false, false);

        public IReadOnlyList<IPAddress>? Lookup(IPAddress asker, string name) =>
            Find(asker) is { } sandbox && (sandbox.Name == name || sandbox.Policy.Peers.Contains(name)) && network.AddressOf(name) is { } address
                ? address.V6 is { } six ? [address.V4, six] : [address.V4]
                : null;

        private SandboxNetwork? Find(IPAddress from)
        {
            lock (network.gate)
            {
                return network.wanted.Values.FirstOrDefault(w => from.Equals(w.Address.V4) || from.Equals(w.Address.V6));
            }
        }
    }
}
