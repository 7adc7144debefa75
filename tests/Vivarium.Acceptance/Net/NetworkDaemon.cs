using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Net;

/// <summary>A private daemon whose sandboxes reach a fake internet and nothing else.</summary>
public class NetworkDaemon : PrivateDaemon
{
    internal FakeInternet Internet { get; private set; } = null!;

    /// <inheritdoc/>
    protected override string NetworkText => $"""
        uplink = "{Internet.Uplink}"
        route_table = {Internet.Table}
        dns = "{FakeInternet.Names}"
        """;

    /// <summary>What answers in the fake internet.</summary>
    private protected virtual void Serve(FakeServers servers, string path) => FakeInternet.Serve(servers, path);

    /// <inheritdoc/>
    public override async ValueTask InitializeAsync()
    {
        Internet = await FakeInternet.MakeAsync(Number, Serve);
        await base.InitializeAsync();
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        try
        {
            await base.DisposeAsync();
            if (Internet is null)
            {
                return; // never made
            }

            Assert.DoesNotContain(Bridge, (await Tools.RunAsync("ip", "-o", "link")).StdoutText, StringComparison.Ordinal);
            Assert.DoesNotContain(NetworkTable, (await Tools.RunAsync("nft", "list", "tables")).StdoutText, StringComparison.Ordinal);
            Assert.DoesNotContain($"lookup {Internet.Table}", (await Tools.RunAsync("ip", "rule")).StdoutText, StringComparison.Ordinal);
        }
        finally
        {
            if (Internet is not null)
            {
                await Internet.DisposeAsync();
            }
        }
    }
}
