using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Vivarium.Guest.Tests.Harness;
using Vivarium.TestKit;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests.Files;

public sealed class StreamAndForwardTests : IAsyncLifetime
{
    private readonly TempDir _temp = new();
    private GuestInstance _guest = null!;

    public async ValueTask InitializeAsync() => _guest = await GuestInstance.StartDirectAsync();

    public async ValueTask DisposeAsync()
    {
        await _guest.DisposeAsync();
        _temp.Dispose();
    }

    [Fact]
    public async Task A_forward_carries_bytes_and_each_end_by_itself()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var echo = EchoAsync(server.AcceptSocketAsync());
        await using var forward = await ForwardClient.ConnectAsync(
            await _guest.ConnectAsync(GuestPort.Forward), new ForwardRequest { Port = ((IPEndPoint)server.LocalEndpoint).Port }, default);
        var sent = new byte[2_000_000];
        new Random(3).NextBytes(sent);
        var receiving = ReadAllAsync(forward);
        await forward.WriteAsync(sent);
        await forward.CompleteWritesAsync();
        Assert.Equal(sent, await receiving.WaitAsync(GuestInstance.Deadline));
        await echo.WaitAsync(GuestInstance.Deadline);
    }

    [Fact]
    public async Task A_unix_socket_can_be_reached_and_a_dead_address_is_an_error()
    {
        using var server = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        server.Bind(new UnixDomainSocketEndPoint(_temp["s"]));
        server.Listen();
        var echo = EchoAsync(server.AcceptAsync());
        await using (var forward = await ForwardClient.ConnectAsync(await _guest.ConnectAsync(GuestPort.Forward), new ForwardRequest { Unix = _temp["s"] }, default))
        {
            await forward.WriteAsync("hello"u8.ToArray());
            await forward.CompleteWritesAsync();
            Assert.Equal("hello", Encoding.UTF8.GetString(await ReadAllAsync(forward).WaitAsync(GuestInstance.Deadline)));
        }

        await echo;
        foreach (var (request, code) in new[]
        {
            (new ForwardRequest { Port = 1 }, ErrorCode.Unavailable), (new ForwardRequest { Unix = "/nowhere" }, ErrorCode.Unavailable), (new ForwardRequest { Port = 0 }, ErrorCode.InvalidArgument),
            (new ForwardRequest { Address = "example.org", Port = 80 }, ErrorCode.InvalidArgument), (new ForwardRequest { Unix = "relative" }, ErrorCode.InvalidArgument),
        })
        {
            var error = await Assert.ThrowsAsync<VivariumException>(async () => await ForwardClient.ConnectAsync(await _guest.ConnectAsync(GuestPort.Forward), request, default));
            Assert.Equal(code, error.Code);
        }
    }

    [Fact]
    public async Task A_named_stream_is_joined_by_a_program_in_the_sandbox()
    {
        var socketPath = FindSocket();
        await using var stream = await NamedStreamClient.StartAsync(await _guest.ConnectAsync(GuestPort.Streams), "console-1", default);
        var twice = await Assert.ThrowsAsync<VivariumException>(async () => await NamedStreamClient.StartAsync(await _guest.ConnectAsync(GuestPort.Streams), "console-1", default));
        Assert.Contains("waiting already", twice.Message);

        Assert.Contains("no stream", await Claim(socketPath, "other"));
        using var program = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        program.Connect(new UnixDomainSocketEndPoint(socketPath));
        Assert.Equal("console-1", await Handshake(program, "console-1"));
        await stream.WriteAsync("to the program"u8.ToArray());
        var buffer = new byte[100];
        Assert.Equal(14, await program.ReceiveAsync(buffer).WaitAsync(GuestInstance.Deadline));
        program.Send("to the host"u8);
        program.Shutdown(SocketShutdown.Send);
        Assert.Equal("to the host", Encoding.UTF8.GetString(await ReadAllAsync(stream).WaitAsync(GuestInstance.Deadline)));
        await stream.CompleteWritesAsync();
        Assert.Equal(0, await program.ReceiveAsync(buffer).WaitAsync(GuestInstance.Deadline));
    }

    private string FindSocket()
    {
        // The agent's directory differs with its runtime; the kernel knows where it listens.
        var inodes = Directory.GetFiles($"/proc/{_guest.Pid}/fd").Select(f => new FileInfo(f).LinkTarget).Where(t => t?.StartsWith("socket:[", StringComparison.Ordinal) == true).Select(t => t![8..^1]).ToHashSet();
        return File.ReadLines("/proc/net/unix").Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(f => f.Length == 8 && inodes.Contains(f[6]))
            .Select(f => f[7].TrimEnd('~')).First(p => p.EndsWith("streams.sock", StringComparison.Ordinal));
    }

    private static async Task<string> Claim(string path, string id)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        return await Handshake(socket, id);
    }

    private static async Task<string> Handshake(Socket socket, string id)
    {
        var bytes = new byte[4 + id.Length];
        BinaryPrimitives.WriteInt32BigEndian(bytes, id.Length);
        Encoding.UTF8.GetBytes(id, bytes.AsSpan(4));
        socket.Send(bytes);
        await using var stream = new NetworkStream(socket);
        var header = new byte[4];
        await stream.ReadExactlyAsync(header).AsTask().WaitAsync(GuestInstance.Deadline);
        var answer = new byte[BinaryPrimitives.ReadInt32BigEndian(header)];
        await stream.ReadExactlyAsync(answer).AsTask().WaitAsync(GuestInstance.Deadline);
        return Encoding.UTF8.GetString(answer);
    }

    private static async Task EchoAsync(Task<Socket> accepting)
    {
        using var socket = await accepting;
        await using var stream = new NetworkStream(socket);
        using var all = new MemoryStream();
        await stream.CopyToAsync(all);
        await stream.WriteAsync(all.ToArray());
        socket.Shutdown(SocketShutdown.Send);
    }

    private static async Task<byte[]> ReadAllAsync(Stream stream)
    {
        using var all = new MemoryStream();
        await stream.CopyToAsync(all);
        return all.ToArray();
    }
}
