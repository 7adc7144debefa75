using System.Text.Json;
using Microsoft.Extensions.Logging;
using Vivarium.Configuration;
using Vivarium.Host.Health;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Network;
using Vivarium.Network.Addressing;
using Vivarium.Network.Policy;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Network;

/// <summary>
/// The networks of this daemon's sandboxes: addresses and policies as the records say, the host's side as <see cref="HostNetwork"/> enforces it. The record is the durable list of
/// what is held: it is on disk before anything is made, and a new daemon brings the host to what the records say, so a crash at any point leaves nothing behind.
/// </summary>
internal sealed partial class SandboxNetworks : IAsyncDisposable
{
    private const string Condition = "network";
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ChangeTime = TimeSpan.FromSeconds(60);

    private readonly HostNetwork network;
    private readonly HealthConditions health;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly CancellationTokenSource stopping = new();
    private Task watching = Task.CompletedTask;

    public SandboxNetworks(VivariumConfig config, HealthConditions health, TimeProvider time, ILogger<SandboxNetworks> logger)
    {
        this.health = health;
        this.time = time;
        this.logger = logger;
        Options = OptionsOf(config);
        network = new HostNetwork(Options);
    }

    /// <summary>The configuration in force.</summary>
    public NetworkOptions Options { get; }

    /// <summary>The host's side, for reports.</summary>
    public HostNetwork Network => network;

    /// <summary>Checks a policy; the answer says what of it is wrong.</summary>
    public NetworkPolicy Check(NetworkPolicySpec? policy) => NetworkPolicy.Parse(policy, Options);

    /// <summary>A record with an address of its own when its network needs one: for a new sandbox, also one made like another.</summary>
    public SandboxRecord Reserve(SandboxRecord record)
    {
        if (record.Network != "nat")
        {
            return record;
        }

        var address = network.Pool.Take(record.Id.Value);
        return record with { Ipv4 = address.V4.ToString(), Ipv6 = address.V6?.ToString() };
    }

    /// <summary>Makes the host's side: when this returns the sandbox may be started.</summary>
    public async Task OpenAsync(SandboxRecord record, CancellationToken cancellationToken)
    {
        if (Of(record) is not { } wanted)
        {
            return;
        }

        if (!network.Pool.Contains(wanted.Address) || !network.Pool.TryHold(wanted.Id, wanted.Address))
        {
            throw new VivariumException(
                ErrorCode.FailedPrecondition,
                $"starting sandbox {record.Name}: its address {record.Ipv4} is not free in the pool {Options.Pool4}",
                "The configuration of the network changed; make the sandbox anew, or set network.pool4 back.",
                "address_lost");
        }

        await network.OpenAsync(wanted, cancellationToken).ConfigureAwait(false);
        Watch();
    }

    /// <summary>Takes the host's side away and frees the address. A failure is logged: what is left is swept by the next reconciliation.</summary>
    public async Task CloseAsync(SandboxRecord record)
    {
        if (record.Network != "nat" && record.Ipv4 is null)
        {
            return;
        }

        try
        {
            // Not a caller's to give up: the sandbox is gone.
            using var deadline = new CancellationTokenSource(ChangeTime, time);
            await network.CloseAsync(record.Id.Value, deadline.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is VivariumException or IOException or OperationCanceledException)
        {
            LogCloseFailed(e, record.Id.Value);
        }
    }

    /// <summary>Lets a changed policy hold and cuts what it no longer allows; returns how many flows.</summary>
    public Task<int> ChangeAsync(SandboxRecord record, CancellationToken cancellationToken) =>
        Of(record) is { } wanted ? network.ChangeAsync(wanted, cancellationToken) : Task.FromResult(0);

    /// <summary>What the supervisor makes of it.</summary>
    public NetworkSpec Specification(SandboxRecord record)
    {
        if (Of(record) is not { } wanted)
        {
            return new NetworkSpec { Mode = record.Network };
        }

        var gateway = network.Pool.Gateway;
        return new NetworkSpec
        {
            Mode = record.Network,
            Nameservers = [gateway.V4.ToString()],
            Attachment = new NetworkAttachment
            {
                Bridge = Options.Bridge,
                Port = Options.PortOf(record.Id.Value),
                Mac = wanted.Address.MacText,
                Ipv4 = wanted.Address.V4.ToString(),
                Gateway4 = gateway.V4.ToString(),
                Ipv6 = wanted.Address.V6?.ToString(),
                Gateway6 = wanted.Address.V6 is null ? null : gateway.V6?.ToString(),
                Mtu = network.Mtu,
            },
        };
    }

    /// <summary>Takes over what the records of the last daemon hold; the host is brought to it in the background.</summary>
    public void Restore(IEnumerable<SandboxRecord> records)
    {
        var any = false;
        foreach (var record in records)
        {
            if (Of(record) is { } wanted && network.Pool.Contains(wanted.Address) && network.Pool.TryHold(wanted.Id, wanted.Address))
            {
                network.Expect(wanted);
                any = true;
            }
        }

        if (any)
        {
            Watch();
        }
        else if (network.IsLeftOver)
        {
            watching = Task.Run(RemoveAsync);
        }
    }

    /// <summary>
    /// Keeps the address of a sandbox whose record cannot be read from all others, as its supervisor's specification says: it may run still. What it may reach nobody knows any more,
    /// so it has no rules, and reaches nothing.
    /// </summary>
    public void Hold(SandboxId id, SupervisorFiles files)
    {
        try
        {
            if (File.Exists(files.Spec) && JsonSerializer.Deserialize(File.ReadAllBytes(files.Spec), SupervisorJson.Default.SupervisorSpec) is { Network.Attachment: { } attachment }
                && SandboxAddress.TryParse(attachment.Ipv4, attachment.Ipv6) is { } address && network.Pool.Contains(address))
            {
                network.Pool.TryHold(id.Value, address);
            }
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            LogHoldFailed(e, id.Value);
        }
    }

    /// <summary>Lets go of the address of such a sandbox, which is gone.</summary>
    public void Release(SandboxId id) => network.Pool.Free(id.Value);

    /// <summary>Ends the name server. Bridge and rules stay for the sandboxes that go on; without any they are removed.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        await watching.ConfigureAwait(false);
        if (network.IsPrepared)
        {
            await RemoveAsync().ConfigureAwait(false);
        }

        await network.DisposeAsync().ConfigureAwait(false);
        stopping.Dispose();
    }

    private static NetworkOptions OptionsOf(VivariumConfig config) => new()
    {
        Bridge = config.Network.Bridge,
        Table = config.Network.Table,
        Pool4 = IpRange.Parse(config.Network.Pool4),
        Pool6 = config.Network.Pool6.Length == 0 ? null : IpRange.Parse(config.Network.Pool6),
        Uplink = config.Network.Uplink,
        RouteTable = config.Network.RouteTable,
        Upstreams = HostNetwork.ParseServers(config.Network.Dns) ?? [],
        Domain = config.Network.Domain,
        BytesPerSecond = config.Network.Bandwidth?.Bytes,
        Connections = config.Network.Connections,
    };

    private SandboxNetwork? Of(SandboxRecord record) =>
        record is { Network: "nat", Ipv4: { } four } && SandboxAddress.TryParse(four, record.Ipv6) is { } address
            ? new SandboxNetwork(record.Id.Value, record.Name, address, Check(record.Policy))
            : null;

    private async Task RemoveAsync()
    {
        try
        {
            using var deadline = new CancellationTokenSource(ChangeTime, time);
            await network.RemoveAsync(deadline.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is VivariumException or IOException or OperationCanceledException)
        {
            LogReconcileFailed(e);
        }
    }

    private void Watch()
    {
        lock (network)
        {
            if (watching.IsCompleted && !stopping.IsCancellationRequested)
            {
                watching = Task.Run(WatchAsync);
            }
        }
    }

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(LookEvery, time);
        try
        {
            do
            {
                await ReconcileAsync().ConfigureAwait(false);
            }
            while (await timer.WaitForNextTickAsync(stopping.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }

    private async Task ReconcileAsync()
    {
        try
        {
            await network.ReconcileAsync(stopping.Token).ConfigureAwait(false);
            health.Clear(Condition);
        }
        catch (Exception e) when (e is VivariumException or IOException)
        {
            LogReconcileFailed(e);
            health.Set(Condition, HealthConditions.Degraded, e.Message);
        }
    }

    [LoggerMessage(EventId = 1701, Level = LogLevel.Error, Message = "closing the network of sandbox {SandboxId} failed; the next reconciliation tries again")]
    private partial void LogCloseFailed(Exception exception, string sandboxId);

    [LoggerMessage(EventId = 1703, Level = LogLevel.Warning, Message = "the address of sandbox {SandboxId}, which is set aside, is not known")]
    private partial void LogHoldFailed(Exception exception, string sandboxId);

    [LoggerMessage(EventId = 1702, Level = LogLevel.Error, Message = "bringing the host's network to what the sandboxes need failed; it is tried again")]
    private partial void LogReconcileFailed(Exception exception);
}
