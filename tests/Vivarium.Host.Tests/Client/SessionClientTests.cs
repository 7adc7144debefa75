using System.Net;
using System.Net.Sockets;
using System.Text;
using Vivarium.Client;
using Vivarium.Host.Tests.Sessions;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Sessions;

namespace Vivarium.Host.Tests.Client;

/// <summary>The typed client of the session service against the service itself, and against answers no good service gives.</summary>
[Collection(SessionTests.Name)]
public sealed class SessionClientTests(SessionDaemon shared) : IAsyncLifetime
{
    private SessionClient client = null!;

    public ValueTask InitializeAsync()
    {
        client = Client(SessionDaemon.Token);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await shared.Daemon.DestroyAllAsync();
    }

    [Fact]
    public async Task Every_method_has_its_call()
    {
        var made = await client.CreateSessionAsync(new CreateSessionRequest { SessionId = "net", Labels = new Dictionary<string, string> { ["a"] = "b" }, RequiredCapabilities = new SessionCapabilities { Snapshots = true, TierRouting = true } });
        Assert.Equal(("net", SessionState.Active, 2), (made.Session.Id, made.Session.State, made.Session.Tier));
        Assert.Equal("b", (await client.GetSessionAsync("net")).Labels!["a"]);
        Assert.Equal("net", Assert.Single(await client.ListSessionsAsync()).Id);
        var answer = await client.ExecuteToolAsync(Call("one", "echo kept >/note; cat /note"));
        Assert.Equal(("kept\n", 0, false), (answer.Content, answer.ExitCode, answer.IsError));
        Assert.True((await client.ExecuteToolAsync(Call("one", "echo kept >/note; cat /note"))).Repeated);
        var process = await client.LaunchProcessAsync(new LaunchProcessRequest { SessionId = "net", Binary = "sleep", Args = ["60"] });
        Assert.Equal(process.ProcessId, Assert.Single(await client.ListProcessesAsync("net")).ProcessId);
        await client.KillProcessAsync(new KillProcessRequest { SessionId = "net", ProcessId = process.ProcessId });
        await TestKit.Eventually.True(async () => (await client.GetProcessStatusAsync("net", process.ProcessId)).Signal == 15, TimeSpan.FromSeconds(20));
        Assert.Empty((await client.GetProcessLogsAsync(new GetProcessLogsRequest { SessionId = "net", ProcessId = process.ProcessId })).Entries);
        Assert.Equal(1, (await client.TurnCompleteAsync(new TurnCompleteRequest { SessionId = "net", Label = "first" })).TurnNumber);
        Assert.Equal("mine", (await client.CreateSnapshotAsync(new CreateSnapshotRequest { SessionId = "net", Name = "mine" })).SnapshotId);
        Assert.Equal(["turn-0001", "mine"], (await client.ListSnapshotsAsync("net")).Select(s => s.Name));
        Assert.Equal("turn-0001", (await client.RollbackSessionAsync(new RollbackSessionRequest { SessionId = "net", SnapshotId = "turn-0001" })).Snapshot);
        Assert.Equal(SessionState.Paused, (await client.PauseSessionAsync("net")).State);
        Assert.Equal(SessionState.Active, (await client.ResumeSessionAsync("net")).State);
        Assert.Equal(1, (await client.HealthCheckAsync()).SessionCount);
        Assert.Contains("bash", (await client.CapabilitiesAsync()).Tools!.Select(t => t.Name));

        // A program that has the session's own token sees this session only.
        using (var inside = Client(made.SessionToken))
        {
            Assert.Equal("net", (await inside.GetSessionAsync("net")).Id);
            Assert.Equal(ErrorCode.PermissionDenied, (await Assert.ThrowsAsync<VivariumException>(() => inside.CreateSessionAsync(new CreateSessionRequest()))).Code);
        }

        await client.DestroySessionAsync("net");
        var gone = await Assert.ThrowsAsync<VivariumException>(() => client.GetSessionAsync("net"));
        Assert.Equal((ErrorCode.NotFound, "no_such_session", true), (gone.Code, gone.Reason, gone.Hint is not null));
    }

    [Fact]
    public async Task A_stream_ends_with_its_answer_or_its_error()
    {
        await client.CreateSessionAsync(new CreateSessionRequest { SessionId = "net" });
        var messages = new List<ExecuteToolStreamMessage>();
        await foreach (var message in client.ExecuteToolStreamAsync(Call("s", "echo a; sleep 0.1; echo b >&2")))
        {
            messages.Add(message);
        }

        Assert.NotNull(messages[^1].Response);
        Assert.All(messages[..^1], m => Assert.NotNull(m.Progress));
        Assert.Equal("a\n", string.Concat(messages[..^1].Where(m => !m.Progress!.IsError).Select(m => m.Progress!.Content)));
        Assert.Equal("b\n", string.Concat(messages[..^1].Where(m => m.Progress!.IsError).Select(m => m.Progress!.Content)));

        var refused = await Assert.ThrowsAsync<VivariumException>(async () => await client.ExecuteToolStreamAsync(Call("x", "true") with { ToolName = "no_such" }).GetAsyncEnumerator().MoveNextAsync());
        Assert.Equal((ErrorCode.InvalidArgument, "unknown_tool"), (refused.Code, refused.Reason));

        // A client that gives up after a while, and comes back for the answer.
        using var hasty = new SessionClient(new Uri(shared.Address), new SessionClientOptions { Token = SessionDaemon.Token, Timeout = TimeSpan.FromMilliseconds(300) });
        Assert.Equal(ErrorCode.DeadlineExceeded, (await Assert.ThrowsAsync<VivariumException>(() => hasty.ExecuteToolAsync(Call("late", "sleep 1; echo done")))).Code);
        Assert.Equal("done\n", (await client.ExecuteToolAsync(Call("late", "sleep 1; echo done"))).Content);
    }

    [Fact]
    public async Task What_is_no_service_is_told_from_one()
    {
        Assert.Equal(ErrorCode.Unauthenticated, (await Assert.ThrowsAsync<VivariumException>(() => Client("not the token of it").HealthCheckAsync())).Code);
        await Refused(ErrorCode.Unimplemented, "not_connect", Answer("404 Not Found", "text/html", "<html>"));
        await Refused(ErrorCode.Unavailable, "not_connect", Answer("502 Bad Gateway", "text/html", ""));
        await Refused(ErrorCode.Internal, "bad_answer", Answer("200 OK", "application/json", "{]"));
        await Refused(ErrorCode.ResourceExhausted, "message_too_large", Answer("200 OK", "application/json", new string(' ', 2_000_000)));
        await Refused(ErrorCode.Unavailable, "unreachable", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{");

        // Nobody listens: tried three times, then told.
        var unused = new TcpListener(IPAddress.Loopback, 0);
        unused.Start();
        var nowhere = new Uri("http://" + unused.LocalEndpoint);
        unused.Stop();
        using var lost = new SessionClient(nowhere);
        Assert.Equal((ErrorCode.Unavailable, "unreachable"), await Code(lost.HealthCheckAsync()));
    }

    [Fact]
    public async Task A_call_that_is_safe_to_repeat_is_repeated_and_no_other()
    {
        using var flaky = new Flaky(Answer("503 Service Unavailable", "text/plain", ""), Answer("503 Service Unavailable", "text/plain", ""), Answer("200 OK", "application/json", """{"Status":"healthy"}"""));
        using (var patient = new SessionClient(flaky.Address))
        {
            Assert.Equal("healthy", (await patient.HealthCheckAsync()).Status);
        }

        Assert.Equal(3, flaky.Served);
        using var once = new Flaky(Answer("503 Service Unavailable", "text/plain", ""), Answer("200 OK", "application/json", "{}"));
        using var careful = new SessionClient(once.Address);
        Assert.Equal((ErrorCode.Unavailable, "not_connect"), await Code(careful.TurnCompleteAsync(new TurnCompleteRequest { SessionId = "x" })));
        Assert.Equal(1, once.Served);
    }

    [Fact]
    public async Task A_session_that_lacks_what_it_must_have_is_not_left_behind()
    {
        using var old = new Flaky(
            Answer("200 OK", "application/json", """{"Session":{"ID":"s1","State":"active"},"ServerCapabilities":{"Snapshots":false},"Unknown":1}"""), Answer("200 OK", "application/json", "{}"));
        using var negotiating = new SessionClient(old.Address);
        Assert.Equal((ErrorCode.FailedPrecondition, "capability_missing"), await Code(negotiating.CreateSessionAsync(new CreateSessionRequest { RequiredCapabilities = new SessionCapabilities { Snapshots = true } })));
        Assert.Equal(2, old.Served);
        Assert.Contains("DestroySession", old.LastRequest, StringComparison.Ordinal);
        Assert.Contains("\"s1\"", old.LastRequest, StringComparison.Ordinal);
    }

    private SessionClient Client(string? token) => new(new Uri(shared.Address), new SessionClientOptions { Token = token });

    private static ExecuteToolRequest Call(string id, string command) => new() { SessionId = "net", ToolName = "bash", ToolCallId = id, Params = ToolArguments.Of(("command", command)) };

    private static async Task<(ErrorCode, string?)> Code(Task call)
    {
        var e = await Assert.ThrowsAsync<VivariumException>(() => call);
        return (e.Code, e.Reason);
    }

    private static async Task Refused(ErrorCode code, string reason, string answer)
    {
        using var other = new Flaky(answer);
        using var asking = new SessionClient(other.Address, new SessionClientOptions { Attempts = 1, MaxMessageBytes = 1_000_000 });
        Assert.Equal((code, reason), await Code(asking.HealthCheckAsync()));
    }

    private static string Answer(string status, string type, string body) =>
        $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\nConnection: close\r\n\r\n{body}";

    /// <summary>A server that gives these answers in turn, one a connection, and then none.</summary>
    private sealed class Flaky : IDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);

        public Flaky(params string[] answers)
        {
            listener.Start();
            Address = new Uri("http://" + listener.LocalEndpoint);
            _ = Task.Run(async () =>
            {
                foreach (var answer in answers)
                {
                    using var connection = await listener.AcceptTcpClientAsync();
                    await using var stream = connection.GetStream();
                    var buffer = new byte[64 * 1024];
                    var text = "";
                    while (!text.Contains("\r\n\r\n", StringComparison.Ordinal) || !text.EndsWith('}'))
                    {
                        text += Encoding.UTF8.GetString(buffer, 0, await stream.ReadAsync(buffer));
                    }

                    LastRequest = text;
                    Served++;
                    await stream.WriteAsync(Encoding.UTF8.GetBytes(answer));
                }
            });
        }

        public Uri Address { get; }

        public int Served { get; private set; }

        public string LastRequest { get; private set; } = "";

        public void Dispose() => listener.Dispose();
    }
}
