using System.Net.Sockets;
using System.Text;
using Vivarium.Host.Tests.Support;

namespace Vivarium.Host.Tests.Daemon;

/// <summary>The daemon as a service: what it tells a service manager, here a socket of the test's.</summary>
[Collection(DaemonTests.Name)]
public sealed class ServiceTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task The_service_manager_hears_ready_alive_and_stopping()
    {
        var path = Path.Combine(Path.GetTempPath(), "vn-" + Guid.NewGuid().ToString("N"));
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(path));
        try
        {
            await using var daemon = await TestDaemon.StartAsync("NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=3000000");
            await HearAsync(manager, "READY=1\nSTATUS=vivd ");
            await HearAsync(manager, "WATCHDOG=1");
            await HearAsync(manager, "WATCHDOG=1");
            Assert.Equal(0, await daemon.StopAsync());
            await HearAsync(manager, "STOPPING=1\n");
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static async Task HearAsync(Socket manager, string beginning)
    {
        using var deadline = new CancellationTokenSource(Patience);
        var buffer = new byte[4096];
        string message;
        do
        {
            message = Encoding.UTF8.GetString(buffer, 0, await manager.ReceiveAsync(buffer, deadline.Token));
        }
        while (!message.StartsWith(beginning, StringComparison.Ordinal));
    }
}
