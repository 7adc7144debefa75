using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Vivarium.Configuration;
using Vivarium.Host.Tests.Support;
using Vivarium.Linux.Processes;

namespace Vivarium.Host.Tests.Sessions;

/// <summary>The Connect protocol, its refusals, and who is let in.</summary>
[Collection(SessionTests.Name)]
public sealed class SessionProtocolTests(SessionDaemon shared) : IAsyncLifetime
{
    private SessionHttp Http => shared.Http;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await shared.Daemon.DestroyAllAsync();

    [Fact]
    public async Task What_is_not_a_call_is_answered_as_http_says()
    {
        var get = await Http.SendAsync(HttpMethod.Get, "HealthCheck?encoding=json&message=%7B%7D", null);
        Assert.Equal((HttpStatusCode.MethodNotAllowed, "POST"), (get.Status, get.Headers["Allow"]));
        foreach (var type in new[] { "text/plain", "application/x-www-form-urlencoded", "application/proto", "application/grpc", "application/connect+json" })
        {
            var wrong = await Http.SendAsync(HttpMethod.Post, "HealthCheck", Content("{}", type));
            Assert.Equal((HttpStatusCode.UnsupportedMediaType, "application/json"), (wrong.Status, wrong.Headers["Accept-Post"]));
        }

        Assert.Equal(HttpStatusCode.OK, (await Http.SendAsync(HttpMethod.Post, "HealthCheck", Content("{}", "application/json; charset=utf-8"))).Status);
        var unknown = await Http.TryAsync("NoSuchMethod", "{}");
        Assert.Equal((HttpStatusCode.NotFound, "unimplemented"), (unknown.Status, unknown.Json.GetProperty("code").GetString()));
        Assert.Equal(HttpStatusCode.NotFound, (await Http.SendAsync(HttpMethod.Post, "/rpc.v1.AgentService/CreateSession", Content("{}", "application/json"))).Status);
    }

    [Fact]
    public async Task What_the_protocol_forbids_has_its_code()
    {
        await Refused("HealthCheck", "", "invalid_argument", HttpStatusCode.BadRequest);
        foreach (var body in new[] { "{", "[]", "null", "\"x\"", "{} {}", "{\"SessionID\":5}", new string('[', 5000), "{\"Labels\":{\"a\":{}}}" })
        {
            await Refused("CreateSession", body, "invalid_argument", HttpStatusCode.BadRequest);
        }

        await Refused("HealthCheck", "{}", "invalid_argument", HttpStatusCode.BadRequest, ("connect-protocol-version", "2"));
        await Refused("HealthCheck", "{}", "unimplemented", HttpStatusCode.NotImplemented, ("content-encoding", "gzip"));
        foreach (var timeout in new[] { "-1", "1.5", "abc", "12345678901" })
        {
            await Refused("HealthCheck", "{}", "invalid_argument", HttpStatusCode.BadRequest, ("connect-timeout-ms", timeout));
        }

        Assert.Equal(HttpStatusCode.OK, (await Http.TryAsync("HealthCheck", "{}", ("connect-timeout-ms", "9999999999"), ("connect-protocol-version", "1"), ("content-encoding", "identity"))).Status);
        var large = "{\"Name\":\"" + new string('x', 16 * 1024 * 1024) + "\"}";
        await Refused("CreateSnapshot", large, "resource_exhausted", HttpStatusCode.TooManyRequests);

        // Without a length the limit is found while reading.
        var chunked = await Http.SendAsync(HttpMethod.Post, "CreateSnapshot", new Chunked(large));
        Assert.Equal((HttpStatusCode.TooManyRequests, "resource_exhausted"), (chunked.Status, chunked.Json.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task A_deadline_ends_the_waiting_and_not_the_work()
    {
        var refused = await Http.RefusedAsync("CreateSession", """{"SessionID":"late"}""", "deadline_exceeded", HttpStatusCode.GatewayTimeout, ("connect-timeout-ms", "1"));
        Assert.Equal("deadline", refused.Reason);
        await TestKit.Eventually.True(
            async () => (await Http.CallAsync("ListSessions")).GetProperty("Sessions").EnumerateArray().Any(s => s.GetProperty("ID").GetString() == "late" && s.GetProperty("State").GetString() == "active"),
            TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Every_answer_names_the_version_and_old_ones_are_refused()
    {
        foreach (var answer in new[] { await Http.TryAsync("HealthCheck", "{}"), await Http.TryAsync("GetSession", "{}"), await Http.TryAsync("HealthCheck", "{}", ("x-api-version", "v1")), await Http.TryAsync("HealthCheck", "{}", ("x-api-version", "v7")) })
        {
            Assert.Equal("v1", answer.Headers["x-api-version"]);
        }

        Assert.Equal("version_not_served", (await Http.RefusedAsync("HealthCheck", "{}", "failed_precondition", HttpStatusCode.BadRequest, ("x-api-version", "v0"))).Reason);
        Assert.Equal("bad_version", (await Http.RefusedAsync("HealthCheck", "{}", "invalid_argument", HttpStatusCode.BadRequest, ("x-api-version", "latest"))).Reason);
    }

    [Fact]
    public async Task Without_the_token_nothing_is_told()
    {
        foreach (var token in new[] { null, "", "wrong", SessionDaemon.Token[..^1], SessionDaemon.Token + "x", "vst_aaaaaaaaaaaaaaaaaaaa_AAAA" })
        {
            var stranger = new SessionHttp(shared.Address, token);
            Assert.Equal("bad_token", (await stranger.RefusedAsync("ListSessions", "{}", "unauthenticated", HttpStatusCode.Unauthorized)).Reason);
            Assert.Equal("bad_token", (await stranger.RefusedAsync("CreateSession", "not json", "unauthenticated", HttpStatusCode.Unauthorized)).Reason);
        }

        var rebound = await Http.TryAsync("ListSessions", "{}", ("Host", "rebound.example.com"));
        Assert.Equal((HttpStatusCode.Forbidden, ""), (rebound.Status, rebound.Text));
        Assert.Equal(HttpStatusCode.Forbidden, (await Http.TryAsync("NoSuchMethod", "{}", ("Host", "rebound.example.com"))).Status);
        Assert.DoesNotContain(SessionDaemon.Token, shared.Daemon.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_token_of_a_session_opens_that_session_only()
    {
        var made = await Http.CallAsync("CreateSession", """{"SessionID":"mine"}""");
        await Http.CallAsync("CreateSession", """{"SessionID":"other"}""");
        var token = made.GetProperty("SessionToken").GetString()!;
        var inside = new SessionHttp(shared.Address, token);
        Assert.Equal("active", (await inside.CallAsync("GetSession", """{"SessionID":"mine"}""")).GetProperty("Session").GetProperty("State").GetString());
        Assert.Equal("mine", Assert.Single((await inside.CallAsync("ListSessions")).GetProperty("Sessions").EnumerateArray()).GetProperty("ID").GetString());
        foreach (var (method, body) in new[] { ("GetSession", """{"SessionID":"other"}"""), ("GetSession", """{"SessionID":"no-such"}"""), ("DestroySession", """{"SessionID":"other"}"""), ("TurnComplete", """{"SessionID":"other"}"""), ("CreateSession", "{}") })
        {
            Assert.Equal("wrong_session", (await inside.RefusedAsync(method, body, "permission_denied", HttpStatusCode.Forbidden)).Reason);
        }

        Assert.Equal("bad_token", (await new SessionHttp(shared.Address, token[..^1] + (token[^1] == 'A' ? 'B' : 'A')).RefusedAsync("ListSessions", "{}", "unauthenticated", HttpStatusCode.Unauthorized)).Reason);

        // A session of the same id made anew is another one.
        await inside.CallAsync("DestroySession", """{"SessionID":"mine"}""");
        await Http.CallAsync("CreateSession", """{"SessionID":"mine"}""");
        Assert.Equal("wrong_session", (await inside.RefusedAsync("GetSession", """{"SessionID":"mine"}""", "permission_denied", HttpStatusCode.Forbidden)).Reason);
    }

    [Fact]
    public void Configurations_that_would_leave_it_open_are_refused()
    {
        Assert.Contains("needs an address", Errors("[sessions]\nenabled = true\n"), StringComparison.Ordinal);
        Assert.Contains("without a token", Errors("[http]\nlisten = \"0.0.0.0:7780\"\nallow_remote = true\n[sessions]\nenabled = true\n"), StringComparison.Ordinal);
        Assert.Contains("without a token", Errors("[http]\nlisten = \"[::]:7780\"\nallow_remote = true\n[sessions]\nenabled = true\n"), StringComparison.Ordinal);
        Assert.Equal("", Errors("[http]\nlisten = \"0.0.0.0:7780\"\nallow_remote = true\n[sessions]\nenabled = true\ntoken_file = \"/etc/vivarium/token\"\n"));
        Assert.Equal("", Errors("[http]\nlisten = \"127.0.0.1:7780\"\n[sessions]\nenabled = true\n"));
    }

    [Fact]
    public async Task A_token_file_that_cannot_be_trusted_keeps_the_daemon_from_starting()
    {
        using var directory = new TestDirectory();
        var file = Path.Combine(directory.Path, "token");
        foreach (var (content, mode, says) in new[] { (null, 0, "cannot be read"), ("short", 0x180, "16 to 4096"), ("two words of a token", 0x180, "16 to 4096"), (SessionDaemon.Token, 0x1a4, "others may read") })
        {
            if (content is not null)
            {
                await File.WriteAllLinesAsync(file, [content]);
                File.SetUnixFileMode(file, (UnixFileMode)mode);
            }

            var ended = await ChildRun.RunAsync(
                Path.Combine(await Programs.DirectoryAsync(), "vivd", "vivd"),
                ["run"],
                new ChildRunOptions
                {
                    Timeout = TimeSpan.FromSeconds(30),
                    Env =
                    [
                        "PATH=" + SpawnOptions.DefaultPath, "DOTNET_ROOT=" + Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "../../..")), "VIVARIUM_CONFIG=/dev/null",
                        "VIVARIUM_PATHS_STATE=" + directory.Path + "/s", "VIVARIUM_PATHS_RUNTIME=" + directory.Path + "/r",
                        "VIVARIUM_HTTP_LISTEN=127.0.0.1:0", "VIVARIUM_SESSIONS_ENABLED=true", "VIVARIUM_SESSIONS_TOKEN_FILE=" + file,
                    ],
                },
                TestContext.Current.CancellationToken);
            Assert.Equal(125, ended.Exit.Code);
            Assert.Contains(says, ended.StderrText, StringComparison.Ordinal);
            Assert.DoesNotContain(SessionDaemon.Token, ended.StderrText, StringComparison.Ordinal);
        }
    }

    private async Task Refused(string method, string body, string code, HttpStatusCode status, params (string Name, string Value)[] headers) =>
        await Http.RefusedAsync(method, body, code, status, headers);

    private static StringContent Content(string body, string type) => new(body, Encoding.UTF8) { Headers = { ContentType = MediaTypeHeaderValue.Parse(type) } };

    private static string Errors(string toml)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, Encoding.UTF8.GetBytes(toml));
            return string.Join('\n', ConfigLoader.Read(new ConfigSources { File = file, Environment = new Dictionary<string, string>() }).Errors.Select(e => e.Message));
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>A body without a length.</summary>
    private sealed class Chunked(string body) : StringContent(body, Encoding.UTF8, "application/json")
    {
        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
