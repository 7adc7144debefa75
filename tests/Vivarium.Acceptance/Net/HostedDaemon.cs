using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Net;

/// <summary>A private daemon in a network namespace that stands for a machine, with the network's settings as a user has them.</summary>
public sealed class HostedDaemon : PrivateDaemon
{
    internal FakeHost Machine { get; private set; } = null!;

    /// <inheritdoc/>
    protected override string NetworkText => $"dns = \"{FakeHost.NameServer}\"";

    /// <inheritdoc/>
    protected override string? NetworkNamespace => Machine.Host;

    internal string Gateway => Pool4[..Pool4.LastIndexOf('.')] + ".1";

    internal string Gateway6 => Pool6[..Pool6.IndexOf('/', StringComparison.Ordinal)] + "1";

    /// <inheritdoc/>
    public override async ValueTask InitializeAsync()
    {
        Machine = await FakeHost.MakeAsync();
        await base.InitializeAsync();
    }

    /// <summary>Interfaces, fixed neighbours and rules in the machine's namespace that are this daemon's.</summary>
    internal async Task<string> HoldsAsync() => (await Tools.ShAsync($"""
        nsenter --net={Machine.Host} sh -ec '
          ip -o link | grep -o "{Bridge}[-a-z0-9]*" | sort -u || true
          ip neighbour show nud permanent dev {Bridge} 2>/dev/null | sort || true
          ip -6 neighbour show nud permanent dev {Bridge} 2>/dev/null | sort || true
          nft -s list ruleset | grep -v "^table ip own" || true
        '
        """)).StdoutText;

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        try
        {
            await base.DisposeAsync();
            if (Machine is null)
            {
                return; // never made
            }

            var left = await HoldsAsync();
            Assert.DoesNotContain(Bridge, left, StringComparison.Ordinal);
            Assert.DoesNotContain(NetworkTable, left, StringComparison.Ordinal);
        }
        finally
        {
            if (Machine is not null)
            {
                await Machine.DisposeAsync();
            }
        }
    }
}
