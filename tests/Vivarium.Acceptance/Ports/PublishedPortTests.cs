using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Ports;

/// <summary>Published ports: <c>-p</c>, <c>viv port</c>, <c>viv ports</c>, on every runtime and without a network in the sandbox.</summary>
public sealed class PublishedPortTests(PrivateDaemon daemon) : VivTest(daemon), IClassFixture<PrivateDaemon>
{
    // One echo server, one that answers only after the end of what it was sent, one that never stops talking, and a web server.
    private const string Servers = """
        mkdir -p /tmp/www; echo served >/tmp/www/index.html
        (httpd -f -p 8000 -h /tmp/www & nc -ll -p 9000 -e cat & nc -ll -p 9001 -e sha256sum & nc -ll -p 9002 -e yes &) >/dev/null 2>&1 </dev/null
        i=0; while [ $(netstat -ltn 2>/dev/null | grep -c -E ':(8000|900[012]) ') -lt 4 ]; do i=$((i+1)); [ $i -lt 200 ] || exit 9; sleep 0.05; done
        """;

    [Theory]
    [MemberData(nameof(Runtimes))]
    public async Task Serves_the_guests_port_and_lives_through_daemon_stop_and_start(string runtime)
    {
        var created = await Viv.RunAsync("create", "--runtime", runtime, "--name", $"web-{runtime}", "-p", "8000", "-p", "9000", "-p", "127.0.0.1::9001", "-p", "9002/tcp", "-p", "7777");
        await using var box = new TestSandbox(Daemon, $"web-{runtime}", $"web-{runtime}");
        await StartServersAsync(box);
        var ports = await PortsAsync(box);
        Assert.All(ports.Values, port => Assert.Contains($"127.0.0.1:{port}", created.Stderr, StringComparison.Ordinal));

        Assert.Contains("served", await Loopback.AskAsync(ports[8000], "GET / HTTP/1.0\r\n\r\n"), StringComparison.Ordinal);
        await HalfCloseAsync(ports[9001]);
        await BothWaysAsync(ports[9000]);

        // Nobody listens inside: an orderly end, not a reset.
        Assert.Equal("", await Loopback.AskAsync(ports[7777], "anybody?\n"));
        await CheckListenersAsync(box, ports);

        // The daemon dies: an open connection goes on, a new one is taken, and the next daemon knows all of it.
        using (var open = await Loopback.ConnectAsync(ports[9000]))
        {
            await Loopback.SendAsync(open, "before "u8.ToArray());
            await Daemon.KillAsync();
            await Loopback.SendAsync(open, "after"u8.ToArray());
            open.Shutdown(SocketShutdown.Send);
            Assert.Equal("before after", Encoding.UTF8.GetString(await Loopback.ReadToEndAsync(open)));
            Assert.Contains("served", await Loopback.AskAsync(ports[8000], "GET / HTTP/1.0\r\n\r\n"), StringComparison.Ordinal);
        }

        await Daemon.StartAsync();
        Assert.Equal(ports, await PortsAsync(box));

        // Stopped: nobody answers. Started: the same host ports again.
        await Viv.RunAsync("stop", box.Id);
        Assert.True(await Loopback.IsRefusedAsync(ports[8000]), "a stopped sandbox publishes nothing");
        await Viv.RunAsync("start", box.Id);
        Assert.Equal(ports, await PortsAsync(box));
        await StartServersAsync(box);
        Assert.Contains("served", await Loopback.AskAsync(ports[8000], "GET / HTTP/1.0\r\n\r\n"), StringComparison.Ordinal);
        await CrowdAsync(ports);

        await Viv.RunAsync("port", "--rm", box.Id, "8000");
        Assert.True(await Loopback.IsRefusedAsync(ports[8000]), "taken back");
        Assert.DoesNotContain(8000, (await PortsAsync(box)).Keys);
        (await Viv.TryAsync("port", "--rm", box.Id, "8000")).MustRefuse("8000", "not published");
        var events = (await Viv.RunAsync("events", "--json")).Stdout;
        Assert.Contains("sandbox.port_unpublished", events, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_taken_host_port_is_said_and_leaves_nothing_half_made()
    {
        using var held = Loopback.Hold(out var taken);
        (await Viv.TryAsync("create", "--name", "half", "-p", $"8000:{taken}")).MustRefuse("port is taken", $"127.0.0.1:{taken}");
        Assert.Empty(await Daemon.ListAsync());

        await using var box = await Daemon.CreateAsync("--name", "whole");
        (await Viv.TryAsync("port", box.Id, $"8000:{taken}")).MustRefuse("port is taken");
        Assert.Empty(await PortsAsync(box));

        // Published, stopped, and then somebody else takes it.
        var mine = (await Viv.RunAsync("port", box.Id, "8000")).Stdout.Trim();
        Assert.Equal(mine, (await Viv.RunAsync("port", box.Id, "8000")).Stdout.Trim());
        using var free = Loopback.Hold(out var wanted);
        free.Dispose();
        Assert.Equal($"127.0.0.1:{wanted}", (await Viv.RunAsync("port", box.Id, $"8001:{wanted}")).Stdout.Trim());
        await Viv.RunAsync("stop", box.Id);
        using (var thief = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
        {
            thief.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, wanted));
            thief.Listen();
            (await Viv.TryAsync("start", box.Id)).MustRefuse("port is taken", $"127.0.0.1:{wanted}");
            Assert.Equal("failed", await box.StateAsync());
            Assert.Equal("port_taken", (await box.ShowAsync()).GetProperty("reason").GetString());
        }

        await Viv.RunAsync("start", box.Id);
        Assert.Equal([8000, 8001], (await PortsAsync(box)).Keys);

        // Stopped ones take changes too; they hold from the next start on.
        await Viv.RunAsync("stop", box.Id);
        await Viv.RunAsync("port", "--rm", box.Id, "8001");
        await Viv.RunAsync("start", box.Id);
        Assert.Equal([8000], (await PortsAsync(box)).Keys);
    }

    [Fact]
    public async Task Malformed_ports_are_refused_by_name()
    {
        foreach (var text in (string[])["", "0", "65536", "8000:65536", "a", "8000:b", "1:2:3:4", "host:1:2", "8000/udp", "-1", "[::1]8000", ":8000", "8000:-1", "1.2.3.4:8000"])
        {
            var refused = await Viv.TryAsync("create", "-p", text);
            Assert.True(refused.Code == 125 && refused.Stderr.Contains("--publish", StringComparison.Ordinal), refused.ToString());
        }

        (await Viv.TryAsync("create", "-p", "203.0.113.7:0:80")).MustRefuse("no such address");
        (await Viv.TryAsync("create", "-p", "8000:41999", "-p", "8001:41999")).MustRefuse("41999", "twice");
        Assert.Empty(await Daemon.ListAsync());
    }

    private static async Task StartServersAsync(TestSandbox box) => await box.ShAsync(Servers);

    private static async Task<SortedDictionary<int, int>> PortsAsync(TestSandbox box)
    {
        var info = await box.ShowAsync();
        return info.TryGetProperty("ports", out var ports)
            ? new(ports.EnumerateArray().ToDictionary(p => p.GetProperty("guest_port").GetInt32(), p => p.GetProperty("host_port").GetInt32()))
            : [];
    }

    private async Task CheckListenersAsync(TestSandbox box, SortedDictionary<int, int> ports)
    {
        var listed = await Viv.JsonAsync("ports", box.Id);
        var web = Assert.Single(listed.GetProperty("listeners").EnumerateArray(), l => l.GetProperty("port").GetInt32() == 8000);
        Assert.Equal("tcp", web.GetProperty("protocol").GetString());
        Assert.True(web.TryGetProperty("process", out var process), listed.ToString());
        Assert.Contains(process.GetString(), (string[])["httpd", "busybox"]);
        Assert.True(web.GetProperty("pid").GetInt32() > 1, "the process is named");
        Assert.Equal(ports.Count, listed.GetProperty("published").GetArrayLength());
        var table = (await Viv.RunAsync("ports", box.Id)).Stdout;
        Assert.Contains($"127.0.0.1:{ports[8000]}", table, StringComparison.Ordinal);
        Assert.Contains("(nothing listens)", table, StringComparison.Ordinal);
    }

    private static async Task HalfCloseAsync(int port)
    {
        var bytes = RandomNumberGenerator.GetBytes(3_000_000);
        using var socket = await Loopback.ConnectAsync(port);
        await Loopback.SendAsync(socket, bytes);
        socket.Shutdown(SocketShutdown.Send);
        var answer = Encoding.UTF8.GetString(await Loopback.ReadToEndAsync(socket));
        Assert.StartsWith(Convert.ToHexStringLower(SHA256.HashData(bytes)), answer, StringComparison.Ordinal);
    }

    private static async Task BothWaysAsync(int port)
    {
        var bytes = RandomNumberGenerator.GetBytes(2_000_000);
        using var socket = await Loopback.ConnectAsync(port);
        var reading = Loopback.ReadToEndAsync(socket);
        await Loopback.SendAsync(socket, bytes);
        socket.Shutdown(SocketShutdown.Send);
        Assert.Equal(bytes, await reading);
    }

    /// <summary>Readers that never read and more connections than are served: memory stays bounded and when they leave everything works.</summary>
    private static async Task CrowdAsync(SortedDictionary<int, int> ports)
    {
        var crowd = new List<Socket>();
        try
        {
            for (var i = 0; i < 20; i++)
            {
                crowd.Add(await Loopback.ConnectAsync(ports[9002]));
            }

            // While those are stuck, another connection is not.
            Assert.Contains("served", await Loopback.AskAsync(ports[8000], "GET / HTTP/1.0\r\n\r\n"), StringComparison.Ordinal);
        }
        finally
        {
            crowd.ForEach(socket => socket.Dispose());
        }

        Assert.Contains("served", await Loopback.AskAsync(ports[8000], "GET / HTTP/1.0\r\n\r\n"), StringComparison.Ordinal);
    }
}
