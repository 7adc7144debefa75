using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.BadInput;

/// <summary>A hostile or broken client on the daemon's socket: a JSON-RPC error or a closed connection, and everybody else is served as before.</summary>
[Collection(TinyCollection.Name)]
public sealed class RpcRefusalTests(PrivateDaemon daemon) : VivTest(daemon)
{
    public static TheoryData<string, int> BadRequests => new()
    {
        { """{"jsonrpc":"2.0","id":1,"method":"no.such.method"}""", -32601 },
        { """{"jsonrpc":"2.0","id":1,"method":"sandbox.create","params":{"name":5}}""", -32602 },
        { """{"jsonrpc":"2.0","id":1,"method":"sandbox.create","params":{"no_such_member":true}}""", -32602 },
        { """{"jsonrpc":"2.0","id":1,"method":"sandbox.create","params":[1,2]}""", -32600 },
        { """{"jsonrpc":"2.0","id":1,"method":"sandbox.create","params":{"name":"../../etc"}}""", -32602 },
        { """{"jsonrpc":"2.0","id":1,"method":"sandbox.create","params":{"external_id":"a/../b"}}""", -32602 },
        { """{"jsonrpc":"2.0","id":1,"method":"sandbox.create","params":{"memory_bytes":-1}}""", -32602 },
        { """{"jsonrpc":"2.0","id":1,"method":"sandbox.create","params":{"cpus":1e400}}""", -32602 },
        { """{"jsonrpc":"2.0","id":1,"method":"sandbox.get","params":{}}""", -32602 },
        { """{"jsonrpc":"2.0","id":1,"method":"sandbox.get","params":{"ref":"nope"}}""", -32001 },
        { """{"jsonrpc":"2.0","id":1,"method":"sandbox.create","params":{"runtime":"vm"}}""", -32010 },
        { """{"jsonrpc":"2.0","id":1,"method":"operation.status","params":{"operation_id":"op-x"}}""", -32001 },
        { """{"jsonrpc":"2.0","id":1,"method":5}""", -32600 },
        { """[]""", -32600 },
        { """this is not JSON""", -32700 },
    };

    [Theory, MemberData(nameof(BadRequests))]
    public async Task Answered_with_its_code_and_the_connection_serves_on(string line, int code)
    {
        await using var stream = await ConnectAsync();
        await SendAsync(stream, line + "\n");
        using (var answer = JsonDocument.Parse(await ReadLineAsync(stream)))
        {
            var error = answer.RootElement.GetProperty("error");
            Assert.Equal(code, error.GetProperty("code").GetInt32());
            Assert.NotEmpty(error.GetProperty("message").GetString()!);
        }

        await using var next = await ConnectAsync();
        await AssertServesAsync(next);
        Assert.Empty(await Daemon.ListAsync());
    }

    [Fact]
    public async Task An_oversized_message_is_refused_without_holding_it_in_memory()
    {
        var before = await MemoryAsync();
        await using var stream = await ConnectAsync();
        var block = Encoding.ASCII.GetBytes(new string('x', 1024 * 1024));
        var refused = false;
        try
        {
            await SendAsync(stream, """{"jsonrpc":"2.0","id":1,"method":"sandbox.get","params":{"ref":" """.TrimEnd());
            for (var i = 0; i < 256 && !refused; i++)
            {
                await stream.WriteAsync(block, TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
            }

            refused = (await ReadLineAsync(stream)).Contains("error", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or EndOfStreamException)
        {
            refused = true;
        }

        Assert.True(refused, "256 MiB in one message were taken");
        Assert.True(await MemoryAsync() - before < 100 * 1024 * 1024, "the daemon grew by more than 100 MiB");
        await using var next = await ConnectAsync();
        await AssertServesAsync(next);
    }

    [Fact]
    public async Task Deep_nesting_is_refused()
    {
        await using var stream = await ConnectAsync();
        await SendAsync(stream, """{"jsonrpc":"2.0","id":1,"method":"sandbox.get","params":""" + new string('[', 5000) + new string(']', 5000) + "}\n");
        Assert.Contains("error", await ReadLineAsync(stream), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_thousand_half_open_connections_stop_nobody()
    {
        var open = new List<NetworkStream>();
        try
        {
            for (var i = 0; i < 1000; i++)
            {
                var stream = await ConnectAsync();
                open.Add(stream);
                await SendAsync(stream, """{"jsonrpc":"2.0","id":1,"meth""");
            }

            Assert.Empty(await Daemon.ListAsync());
        }
        finally
        {
            open.ForEach(s => s.Dispose());
        }

        Assert.Empty(await Daemon.ListAsync());
    }

    [Fact]
    public async Task The_socket_is_not_open_to_everybody()
    {
        var mode = File.GetUnixFileMode(Daemon.Socket);
        Assert.Equal(UnixFileMode.None, mode & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute));
        await using var stream = await ConnectAsync();
        await AssertServesAsync(stream);
    }

    [Fact]
    public async Task A_guest_port_without_a_ticket_or_with_a_used_one_is_refused_to_others()
    {
        await using var box = await Daemon.CreateAsync();
        var path = Path.Combine(Daemon.Runtime, box.Id, "supervisor.sock");
        await using var stream = await ConnectAsync(path);
        await SendAsync(stream, """{"connect":1025,"ticket":"wrong"}""" + "\n");
        Assert.Contains("error", await ReadLineAsync(stream), StringComparison.Ordinal);
    }

    private async Task<NetworkStream> ConnectAsync(string? path = null)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path ?? Daemon.Socket), TestContext.Current.CancellationToken);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private static Task SendAsync(NetworkStream stream, string text) =>
        stream.WriteAsync(Encoding.UTF8.GetBytes(text), TestContext.Current.CancellationToken).AsTask();

    private static async Task AssertServesAsync(NetworkStream stream)
    {
        await SendAsync(stream, """{"jsonrpc":"2.0","id":"v","method":"system.version"}""" + "\n");
        Assert.Contains("\"result\"", await ReadLineAsync(stream), StringComparison.Ordinal);
    }

    private static async Task<string> ReadLineAsync(NetworkStream stream)
    {
        using var reader = new StreamReader(stream, leaveOpen: true);
        var line = await reader.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        return line ?? throw new EndOfStreamException("the daemon closed the connection without an answer");
    }

    private async Task<long> MemoryAsync()
    {
        var status = await File.ReadAllLinesAsync($"/proc/{await Daemon.PidAsync()}/status", TestContext.Current.CancellationToken);
        return long.Parse(status.First(l => l.StartsWith("VmRSS", StringComparison.Ordinal)).Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], null) * 1024;
    }
}
