using System.Net.Sockets;
using Vivarium.Transport.Lines;
using Vivarium.Transport.Supervisor;
using Vivarium.Transport.Tests.Support;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Tests.Supervisor;

public sealed class SupervisorClientTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"viv-t-{Guid.NewGuid():N}.sock");
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    public SupervisorClientTests()
    {
        _listener.Bind(new UnixDomainSocketEndPoint(_path));
        _listener.Listen(1);
    }

    public void Dispose()
    {
        _listener.Dispose();
        File.Delete(_path);
    }

    [Fact]
    public async Task A_port_opens_with_a_line_and_is_raw_afterwards()
    {
        var open = SupervisorClient.OpenPortAsync(_path, 1028, "t-1", Limits.Token);
        await using var supervisor = await AcceptAsync();
        Assert.Equal("""{"connect":1028,"ticket":"t-1"}""", await supervisor.ReadAsync());
        await supervisor.SendAsync("{\"ok\":true}\nfirst bytes"u8.ToArray());
        await using var stream = await open;
        var bytes = new byte[11];
        await stream.ReadExactlyAsync(bytes, Limits.Token);
        Assert.Equal("first bytes"u8.ToArray(), bytes);
        await stream.CompleteWritesAsync(Limits.Token);
    }

    [Fact]
    public async Task A_refused_ticket_is_the_supervisors_error()
    {
        var open = SupervisorClient.OpenPortAsync(_path, 1025, "used", Limits.Token);
        await using (var supervisor = await AcceptAsync())
        {
            await supervisor.ReadAsync();
            await supervisor.SendLineAsync("""{"ok":false,"error":{"code":"unauthenticated","message":"the ticket is used up"}}""");
        }

        Assert.Equal(ErrorCode.Unauthenticated, (await Assert.ThrowsAsync<VivariumException>(() => open)).Code);
    }

    [Fact]
    public async Task Exec_starts_in_one_round_trip()
    {
        var start = SupervisorClient.StartExecAsync(_path, null, new ExecRequest { Argv = ["true"] }, Limits.Token);
        await using var supervisor = await AcceptAsync();

        // Both lines are there before anything has been answered.
        Assert.Equal("""{"connect":1025}""", await supervisor.ReadAsync());
        Assert.Contains("\"argv\":[\"true\"]", await supervisor.ReadAsync(), StringComparison.Ordinal);
        var exit = """{"type":"exit","code":0}"""u8.ToArray();
        await supervisor.SendAsync([.. "{\"ok\":true}\n{\"pid\":7}\n"u8, 4, 0, 0, 0, (byte)exit.Length, .. exit]);
        await using var client = await start;
        Assert.Equal(7, client.Pid);
        Assert.Equal(0, (await client.CopyOutputAsync(Stream.Null, Stream.Null, Limits.Token)).Code);
    }

    [Fact]
    public async Task A_refused_connect_is_told_apart_from_a_refused_command()
    {
        var start = SupervisorClient.StartExecAsync(_path, null, new ExecRequest { Argv = ["true"] }, Limits.Token);
        await using (var supervisor = await AcceptAsync())
            await supervisor.SendLineAsync("""{"ok":false,"error":{"code":"failed_precondition","message":"paused"}}""");
        Assert.Equal(ErrorCode.FailedPrecondition, (await Assert.ThrowsAsync<VivariumException>(() => start)).Code);

        start = SupervisorClient.StartExecAsync(_path, null, new ExecRequest { Argv = ["nope"] }, Limits.Token);
        await using (var supervisor = await AcceptAsync())
            await supervisor.SendAsync("{\"ok\":true}\n{\"error\":{\"code\":\"not_found\",\"message\":\"nope\",\"reason\":\"command_not_found\"}}\n"u8.ToArray());
        Assert.Equal("command_not_found", (await Assert.ThrowsAsync<VivariumException>(() => start)).Reason);
    }

    [Fact]
    public async Task A_burst_beyond_the_listeners_queue_waits_instead_of_failing()
    {
        var connects = Enumerable.Range(0, 50).Select(_ => UnixSocketStream.ConnectAsync(_path, "the test", Limits.Token).AsTask()).ToList();
        for (var i = 0; i < 50; i++)
            (await _listener.AcceptAsync(Limits.Token)).Dispose();
        foreach (var stream in await Task.WhenAll(connects))
            await stream.DisposeAsync();
    }

    [Fact]
    public async Task Nobody_there_is_unavailable_and_a_long_path_an_argument()
    {
        var error = await Assert.ThrowsAsync<VivariumException>(async () => await UnixSocketStream.ConnectAsync(_path + ".none", "the daemon", Limits.Token));
        Assert.Equal(ErrorCode.Unavailable, error.Code);
        Assert.Contains("the daemon", error.Message, StringComparison.Ordinal);
        error = await Assert.ThrowsAsync<VivariumException>(async () => await UnixSocketStream.ConnectAsync("/tmp/" + new string('x', 200), "the daemon", Limits.Token));
        Assert.Equal(ErrorCode.InvalidArgument, error.Code);
    }

    [Fact]
    public async Task The_end_of_the_supervisor_is_noticed_and_events_are_heard()
    {
        var events = new List<string>();
        var connect = SupervisorClient.ConnectAsync(_path, e => events.Add(e.Type), Limits.Token);
        var supervisor = await AcceptAsync();
        await using var client = await connect;
        var status = client.StatusAsync(Limits.Token);
        Assert.Contains("\"method\":\"status\"", await supervisor.ReadAsync(), StringComparison.Ordinal);
        await supervisor.SendLineAsync("""{"jsonrpc":"2.0","method":"event","params":{"type":"phase","status":{"phase":"booting"}}}""");
        await supervisor.SendLineAsync("""{"jsonrpc":"2.0","id":1,"result":{"phase":"running"}}""");
        Assert.Equal("running", (await status).Phase);
        Assert.Equal(["phase"], events);
        await supervisor.DisposeAsync();
        await client.Ended.WaitAsync(Limits.Wait);
    }

    private async Task<ScriptedGuest> AcceptAsync() => new(new LineStream(new UnixSocketStream(await _listener.AcceptAsync(Limits.Token))));
}
