using System.Net.Sockets;
using System.Text;
using Vivarium.Host.Tests.Support;
using Vivarium.Linux.Processes;

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

    [Fact]
    public async Task A_socket_of_the_service_managers_is_used_and_connections_wait_in_it_while_the_daemon_is_started_anew()
    {
        await using var daemon = await TestDaemon.StartAsync();
        Assert.Equal(0, await daemon.StopAsync());
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(daemon.Socket));
        listener.Listen(16);
        daemon.Launch = usual => Activated(usual, listener);

        // It has no daemon behind it yet: who connects waits, and is answered.
        var early = daemon.ConnectAsync();
        await daemon.StartAgainAsync();
        await using (var client = await early)
        {
            Assert.Empty((await client.ListAsync(new Wire.Host.ListParams(), CancellationToken.None)).Sandboxes);
        }

        // Its children know nothing of it, and when it stops the socket stays.
        var box = await daemon.CreateAsync("box");
        Assert.DoesNotContain("LISTEN_", (await File.ReadAllTextAsync($"/proc/{box.SupervisorPid}/environ")), StringComparison.Ordinal);
        Assert.Equal(0, await daemon.StopAsync());
        Assert.True(File.Exists(daemon.Socket));
        var waiting = daemon.ConnectAsync();
        await daemon.StartAgainAsync();
        await using (var client = await waiting)
        {
            Assert.Equal("box", Assert.Single((await client.ListAsync(new Wire.Host.ListParams(), CancellationToken.None)).Sandboxes).Name);
        }

        // Another one than configured is refused with a sentence.
        Assert.Equal(0, await daemon.StopAsync());
        using var other = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        other.Bind(new UnixDomainSocketEndPoint(daemon.Socket + ".other"));
        other.Listen(1);
        daemon.Launch = usual => Activated(usual, other);
        Assert.Equal(125, (await daemon.Spawn().Exited.WaitAsync(Patience)).Code);
        Assert.Contains("vivd.sock.other", daemon.Log, StringComparison.Ordinal);
        Assert.Contains("vivarium.socket", daemon.Log, StringComparison.Ordinal);
        File.Delete(daemon.Socket + ".other");

        // Nobody may wait in a socket that has no daemon any more.
        listener.Dispose();
        File.Delete(daemon.Socket);
        daemon.Launch = static usual => usual;
        await daemon.StartAgainAsync();
    }

    /// <summary>As systemd starts a service with a socket: descriptor 3, and a pid that only the program itself can know.</summary>
    private static SpawnOptions Activated(SpawnOptions usual, Socket socket) => usual with
    {
        FileName = "/bin/sh",
        Argv = ["sh", "-c", "LISTEN_PID=$$ exec \"$0\" run", usual.FileName],
        Env = [.. usual.Env, "LISTEN_FDS=1"],
        Fds = [.. usual.Fds, new FdMapping((int)socket.SafeHandle.DangerousGetHandle(), 3)],
    };

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
