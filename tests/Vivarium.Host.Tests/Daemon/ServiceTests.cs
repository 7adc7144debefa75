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

    [Fact]
    public async Task Where_standard_error_is_the_journal_each_line_has_a_priority_and_no_time()
    {
        var path = Path.Combine(Path.GetTempPath(), "vj-" + Guid.NewGuid().ToString("N"));
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        try
        {
            listener.Listen();
            using var written = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            written.Connect(new UnixDomainSocketEndPoint(path));
            using var journal = listener.Accept();
            var inode = File.ResolveLinkTarget($"/proc/self/fd/{written.Handle}", returnFinalTarget: false)!.Name["socket:[".Length..^1];

            await using (var daemon = await TestDaemon.StartAsync(written.SafeHandle, ["JOURNAL_STREAM=8:" + inode, "VIVARIUM_DAEMON_LOG_LEVEL=info"]))
            {
                written.Dispose();
                Assert.Equal(0, await daemon.StopAsync());
            }

            using var reader = new StreamReader(new NetworkStream(journal));
            using var deadline = new CancellationTokenSource(Patience);
            string[] lines = (await reader.ReadToEndAsync(deadline.Token)).TrimEnd('\n').Split('\n');
            Assert.Contains(lines, line => line.StartsWith("<6>Vivarium.Daemon.DaemonHost[2101]: vivd ", StringComparison.Ordinal));
            Assert.All(lines, line => Assert.Matches("^<[2-7]>[A-Za-z]", line));
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
