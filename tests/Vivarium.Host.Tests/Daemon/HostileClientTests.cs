using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;

namespace Vivarium.Host.Tests.Daemon;

[Collection(DaemonTests.Name)]
public sealed class HostileClientTests(SharedDaemon shared) : IClassFixture<SharedDaemon>
{
    private TestDaemon Daemon => shared.Daemon;

    [Theory]
    [InlineData("not json at all", -32700)]
    [InlineData("{\"jsonrpc\":\"2.0\"", -32700)]
    [InlineData("[]", -32600)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1}", -32600)]
    [InlineData("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"system.version\"}", -32600)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no.such\"}", -32601)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sandbox.get\",\"params\":{\"ref\":5}}", -32602)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sandbox.get\",\"params\":[\"x\"]}", -32600)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sandbox.get\"}", -32602)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sandbox.create\",\"params\":{\"naem\":\"x\"}}", -32602)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sandbox.create\",\"params\":{\"cpus\":\"two\"}}", -32602)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sandbox.create\",\"params\":{\"memory_bytes\":1e300}}", -32602)]
    public async Task A_wrong_message_is_answered_with_its_code(string line, int code)
    {
        using var socket = await ConnectAsync();
        await SendAsync(socket, line + "\n");
        using var answer = JsonDocument.Parse(await ReadLineAsync(socket));
        Assert.Equal(code, answer.RootElement.GetProperty("error").GetProperty("code").GetInt32());
        Assert.Empty(await Daemon.ListAsync());
    }

    [Fact]
    public async Task Deep_nesting_is_refused()
    {
        using var socket = await ConnectAsync();
        await SendAsync(socket, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"system.version\",\"params\":" + new string('[', 5000) + new string(']', 5000) + "}\n");
        Assert.Contains("\"error\"", await ReadLineAsync(socket), StringComparison.Ordinal);
        await Daemon.ListAsync();
    }

    [Fact]
    public async Task An_endless_message_is_cut_off_and_others_are_served()
    {
        using var socket = await ConnectAsync();
        var piece = Encoding.ASCII.GetBytes(new string('x', 1 << 20));
        await Assert.ThrowsAsync<SocketException>(async () =>
        {
            // After its refusal the daemon reads on for a moment, so that the refusal can be read, and then closes.
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            while (true)
            {
                await socket.SendAsync(piece, limit.Token);
            }
        });
        await Daemon.ListAsync();
    }

    [Fact]
    public async Task A_half_open_client_gets_its_answer()
    {
        using var socket = await ConnectAsync();
        await SendAsync(socket, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"system.version\"}\n");
        socket.Shutdown(SocketShutdown.Send);
        Assert.Contains("\"result\"", await ReadLineAsync(socket), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_id_may_be_used_again_as_soon_as_it_is_answered()
    {
        using var socket = await ConnectAsync();
        for (var i = 0; i < 2000; i++)
        {
            await SendAsync(socket, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"system.version\"}\n");
            Assert.Contains("\"result\"", await ReadLineAsync(socket), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_thousand_connections_are_served_and_cost_nothing_afterwards()
    {
        await Daemon.ListAsync();
        var before = Descriptors();
        var sockets = new List<Socket>();
        for (var i = 0; i < 1000; i++)
        {
            sockets.Add(await ConnectAsync());
        }

        // Half of them silent, half of them asking.
        await Task.WhenAll(sockets.Where(static (_, i) => i % 2 == 0).Select(async s =>
        {
            await SendAsync(s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"system.version\"}\n");
            Assert.Contains("\"result\"", await ReadLineAsync(s), StringComparison.Ordinal);
        }));
        sockets.ForEach(static s => s.Dispose());
        await Eventually.True(() => Descriptors() <= before + 5);
    }

    [Fact]
    public async Task A_thousand_half_said_messages_cost_bounded_memory_and_shut_nobody_out()
    {
        const int Said = 64 * 1024;
        await Daemon.ListAsync();
        var (before, resident) = (Sockets(), Resident());
        var half = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" + new string('x', Said);
        var sockets = new List<Socket>();
        for (var i = 0; i < 1000; i++)
        {
            sockets.Add(await ConnectAsync());
            await SendAsync(sockets[i], half);
            if (i % 3 == 0)
            {
                sockets[i].Shutdown(SocketShutdown.Send);
            }
        }

        Assert.Empty(await Daemon.ListAsync());
        Assert.InRange(Resident() - resident, long.MinValue, (1000L * 3 * Said) + (64 << 20));
        sockets.ForEach(static s => s.Dispose());
        await Eventually.True(() => Sockets() <= before + 5, TimeSpan.FromSeconds(20));
        Assert.Empty(await Daemon.ListAsync());
    }

    [Fact]
    public async Task A_one_shot_object_is_answered_in_its_form_and_the_connection_ends()
    {
        Assert.Equal("{\"ok\":true}\n", await OneShotAsync("{\"method\":\"ping\"}"));
        Assert.Equal("{\"ok\":true}\n", await OneShotAsync("{\"method\":\"list\"}"));
        Assert.Equal("{\"ok\":false,\"error\":\"unknown method: dance\"}\n", await OneShotAsync("{\"method\":\"dance\"}"));
        Assert.Equal("{\"ok\":false,\"error\":\"no sandboxes found\"}\n", await OneShotAsync("{\"method\":\"status\"}"));
        Assert.StartsWith("{\"ok\":false,\"error\":\"sandbox \\u0022x\\u0022 not found\"", await OneShotAsync("{\"method\":\"status\",\"name\":\"x\"}"), StringComparison.Ordinal);
    }

    /// <summary>Others are of programs and logs that are loaded and opened as they are needed.</summary>
    private int Sockets() => Directory.GetFiles($"/proc/{Daemon.Pid}/fd").Count(static f => new FileInfo(f).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true);

    private long Resident() =>
        long.Parse(File.ReadAllText($"/proc/{Daemon.Pid}/statm").Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture) * Environment.SystemPageSize;

    private int Descriptors() => Directory.GetFiles($"/proc/{Daemon.Pid}/fd").Length;

    private async Task<string> OneShotAsync(string request)
    {
        using var socket = await ConnectAsync();
        await SendAsync(socket, request + "\n");
        var answer = await ReadLineAsync(socket);
        Assert.Equal(0, await socket.ReceiveAsync(new byte[1]).WaitAsync(TimeSpan.FromSeconds(10)));
        return answer;
    }

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Daemon.Socket));
        return socket;
    }

    private static async Task SendAsync(Socket socket, string text) => await socket.SendAsync(Encoding.UTF8.GetBytes(text)).WaitAsync(TimeSpan.FromSeconds(10));

    private static async Task<string> ReadLineAsync(Socket socket)
    {
        var text = new StringBuilder();
        var buffer = new byte[4096];
        while (text.Length == 0 || text[^1] != '\n')
        {
            var read = await socket.ReceiveAsync(buffer).WaitAsync(TimeSpan.FromSeconds(10));
            Assert.NotEqual(0, read);
            text.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }

        return text.ToString();
    }
}
