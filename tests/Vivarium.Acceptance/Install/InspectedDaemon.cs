using Vivarium.Acceptance.Net;

namespace Vivarium.Acceptance.Install;

/// <summary>A private daemon with the base template whose sandboxes reach nothing but an inspecting proxy: every name has its address.</summary>
public sealed class InspectedDaemon : NetworkDaemon
{
    internal InspectingProxy Proxy { get; } = new();

    /// <inheritdoc/>
    protected override bool WithBase => true;

    /// <inheritdoc/>
    private protected override void Serve(FakeServers servers, string path)
    {
        servers.Names(path, FakeInternet.Names, FakeInternet.Web);
        Proxy.Listen(path, FakeInternet.Web);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        Proxy.Dispose();
        await base.DisposeAsync();
    }
}
