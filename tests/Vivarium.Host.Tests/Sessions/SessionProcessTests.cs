using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Vivarium.TestKit;

namespace Vivarium.Host.Tests.Sessions;

/// <summary>Processes over the session service: launched, listed, read, reached, killed.</summary>
[Collection(SessionTests.Name)]
public sealed class SessionProcessTests(SessionDaemon shared) : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private SessionHttp Http => shared.Http;

    public async ValueTask InitializeAsync() => await Http.CallAsync("CreateSession", """{"SessionID":"p","BaseSnapshot":"tiny"}""");

    public async ValueTask DisposeAsync() => await shared.Daemon.DestroyAllAsync();

    [Fact]
    public async Task It_ends_with_what_it_said_and_how()
    {
        var id = await Launch("""{"SessionID":"p","Binary":"sh","Args":["-c","echo out $WHO; echo err >&2; exit 3"],"Env":{"WHO":"me"},"ExposePort":0}""");
        var ended = await Ended(id);
        Assert.Equal((3, 0), (ended.GetProperty("ExitCode").GetInt32(), ended.GetProperty("Signal").GetInt32()));
        var logs = await Http.CallAsync("GetProcessLogs", $$"""{"SessionID":"p","ProcessID":"{{id}}","Wait":2000000000}""");
        Assert.Equal(["out me\n", "err\n"], logs.GetProperty("Entries").EnumerateArray().OrderBy(e => e.GetProperty("IsError").GetBoolean()).Select(e => e.GetProperty("Content").GetString()));
        await Eventually.True(async () => (await Http.CallAsync("GetProcessLogs", $$"""{"SessionID":"p","ProcessID":"{{id}}","Offset":{{logs.GetProperty("NextOffset").GetInt64()}}}""")).GetProperty("Ended").GetBoolean(), Patience);

        // What is no text comes as it is.
        var binary = await Launch("""{"SessionID":"p","Binary":"printf","Args":["a\\377b"]}""");
        await Ended(binary);
        var bytes = (await Http.CallAsync("GetProcessLogs", $$"""{"SessionID":"p","ProcessID":"{{binary}}","Offset":-1000,"Wait":2000000000}""")).GetProperty("Entries")[0];
        Assert.Equal(("a\uFFFDb", "Yf9i"), (bytes.GetProperty("Content").GetString(), bytes.GetProperty("Data").GetString()));

        // A signal is told from an exit code, and killing what has ended is no error.
        var sleeper = await Launch("""{"SessionID":"p","Binary":"sleep","Args":["60"]}""");
        Assert.Equal("running", (await Status(sleeper)).GetProperty("Status").GetString());
        await Http.CallAsync("KillProcess", $$"""{"SessionID":"p","ProcessID":"{{sleeper}}","Signal":9}""");
        var killed = await Ended(sleeper);
        Assert.Equal((137, 9), (killed.GetProperty("ExitCode").GetInt32(), killed.GetProperty("Signal").GetInt32()));
        await Http.CallAsync("KillProcess", $$"""{"SessionID":"p","ProcessID":"{{sleeper}}"}""");
        var listed = (await Http.CallAsync("ListProcesses", """{"SessionID":"p"}""")).GetProperty("Processes").EnumerateArray().Select(x => x.GetProperty("ProcessID").GetString()!);
        Assert.Equal(new[] { id, binary, sleeper }.Order(), listed.Order());
    }

    [Fact]
    public async Task An_exposed_port_is_reached_at_its_address()
    {
        var started = await Http.CallAsync("LaunchProcess", """{"SessionID":"p","Binary":"sh","Args":["-c","while :; do echo hello | nc -l -p 8000; done"],"ExposePort":8000}""");
        var address = IPEndPoint.Parse(started.GetProperty("Address").GetString()!);
        await Eventually.True(
            async () =>
            {
                using var client = new TcpClient();
                await client.ConnectAsync(address);
                client.ReceiveTimeout = 2000;
                using var reader = new StreamReader(client.GetStream());
                try
                {
                    return await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(2)) == "hello";
                }
                catch (Exception e) when (e is IOException or TimeoutException)
                {
                    return false;
                }
            },
            Patience);
        await Http.CallAsync("KillProcess", string.Create(CultureInfo.InvariantCulture, $$"""{"SessionID":"p","ProcessID":"{{started.GetProperty("ProcessID").GetString()}}","Signal":9}"""));
    }

    [Fact]
    public async Task What_is_wrong_is_said_by_code()
    {
        foreach (var (method, body) in new[]
        {
            ("LaunchProcess", """{"SessionID":"p"}"""), ("LaunchProcess", """{"Binary":"true"}"""), ("KillProcess", """{"SessionID":"p"}"""), ("GetProcessStatus", """{"SessionID":"p"}"""),
            ("LaunchProcess", """{"SessionID":"p","Binary":"true","ExposePort":70000}"""), ("ListProcesses", "{}"), ("GetProcessLogs", """{"SessionID":"p"}"""),
        })
        {
            await Http.RefusedAsync(method, body, "invalid_argument", HttpStatusCode.BadRequest);
        }

        foreach (var method in new[] { "KillProcess", "GetProcessStatus", "GetProcessLogs" })
        {
            await Http.RefusedAsync(method, """{"SessionID":"p","ProcessID":"proc-aaaaaaaaaaaaaaaaaaaa"}""", "not_found", HttpStatusCode.NotFound);
            await Http.RefusedAsync(method, """{"SessionID":"nobody","ProcessID":"proc-aaaaaaaaaaaaaaaaaaaa"}""", "not_found", HttpStatusCode.NotFound);
        }

        await Http.CallAsync("PauseSession", """{"SessionID":"p"}""");
        await Http.RefusedAsync("LaunchProcess", """{"SessionID":"p","Binary":"true"}""", "failed_precondition", HttpStatusCode.BadRequest);
    }

    private async Task<string> Launch(string body)
    {
        var started = await Http.CallAsync("LaunchProcess", body);
        Assert.Equal("", started.GetProperty("Address").GetString());
        Assert.StartsWith("proc-", started.GetProperty("ProcessID").GetString(), StringComparison.Ordinal);
        return started.GetProperty("ProcessID").GetString()!;
    }

    private Task<JsonElement> Status(string id) => Http.CallAsync("GetProcessStatus", $$"""{"SessionID":"p","ProcessID":"{{id}}"}""");

    private async Task<JsonElement> Ended(string id)
    {
        await Eventually.True(async () => (await Status(id)).GetProperty("Status").GetString() == "exited", Patience);
        return await Status(id);
    }
}
