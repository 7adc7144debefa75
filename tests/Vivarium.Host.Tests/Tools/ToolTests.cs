using Vivarium.Host.Tests.Support;
using Vivarium.Transport.Host;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Tools;

[Collection(DaemonTests.Name)]
public sealed class ToolTests(SharedDaemon shared) : IClassFixture<SharedDaemon>, IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private HostClient client = null!;

    private TestDaemon Daemon => shared.Daemon;

    public async ValueTask InitializeAsync()
    {
        client = await Daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "box" }, None);
    }

    public async ValueTask DisposeAsync()
    {
        await client.DestroyAsync(new DestroyParams { Ref = "box", Force = true, Now = true }, None);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task Bash_gives_both_streams_and_the_code()
    {
        var ok = await client.BashAsync("box", "echo out; echo err >&2");
        Assert.Equal(("out\nerr\n", false, 0), (ok.Content, ok.IsError, ok.ExitCode));
        var failed = await client.BashAsync("box", "exit 7");
        Assert.Equal((true, 7), (failed.IsError, failed.ExitCode));
        Assert.Equal("unknown_tool", (await Assert.ThrowsAsync<VivariumException>(() => client.ToolAsync("box", "bsh", "{}"))).Reason);
    }
}
