using System.Net;
using System.Text.Json;
using Vivarium.Host.Tests.Support;

namespace Vivarium.Host.Tests.Sessions;

/// <summary>A service without a token, on a store that cannot make snapshots, with room for one session.</summary>
[Collection(DaemonTests.Name)]
public sealed class OpenSessionTests : IAsyncLifetime
{
    private TestDaemon daemon = null!;
    private SessionHttp http = null!;

    public async ValueTask InitializeAsync()
    {
        daemon = await TestDaemon.StartAsync(
            "VIVARIUM_HTTP_LISTEN=127.0.0.1:0", "VIVARIUM_SESSIONS_ENABLED=true", "VIVARIUM_LIMITS_MAX_SANDBOXES=1", "VIVARIUM_RUNTIME_ALLOW_DIRECT=true");
        http = new SessionHttp(await SessionDaemon.AddressAsync(daemon), token: null);
    }

    public ValueTask DisposeAsync() => daemon.DisposeAsync();

    [Fact]
    public async Task What_the_host_cannot_is_said_by_code()
    {
        var refused = await http.RefusedAsync("CreateSession", """{"SessionID":"a","RequiredCapabilities":{"Snapshots":true}}""", "failed_precondition", HttpStatusCode.BadRequest);
        Assert.Equal("capability_missing", refused.Reason);
        Assert.Empty(await daemon.ListAsync());

        // Nothing separates this one from the host, and its tier says so.
        var made = await http.CallAsync("CreateSession", """{"SessionID":"a","Runtime":"direct"}""");
        Assert.Equal((1, JsonValueKind.Null), (made.GetProperty("Session").GetProperty("Tier").GetInt32(), made.GetProperty("SessionToken").ValueKind));
        Assert.Equal((false, false), (made.GetProperty("ServerCapabilities").GetProperty("Snapshots").GetBoolean(), made.GetProperty("ServerCapabilities").GetProperty("TierRouting").GetBoolean()));
        Assert.Equal(1, (await http.CallAsync("ExecuteTool", """{"SessionID":"a","ToolName":"bash","ToolCallID":"1","Params":{"cmd":"true"}}""")).GetProperty("Tier").GetInt32());

        Assert.Equal("max_sandboxes", (await http.RefusedAsync("CreateSession", """{"SessionID":"b"}""", "resource_exhausted", HttpStatusCode.TooManyRequests)).Reason);
        foreach (var (method, body) in new[] { ("TurnComplete", """{"SessionID":"a"}"""), ("CreateSnapshot", """{"SessionID":"a"}"""), ("RollbackSession", """{"SessionID":"a","SnapshotID":"x"}""") })
        {
            Assert.Equal("snapshots_not_available", (await http.RefusedAsync(method, body, "failed_precondition", HttpStatusCode.BadRequest)).Reason);
        }

        await http.RefusedAsync("TurnComplete", """{"SessionID":"nobody"}""", "not_found", HttpStatusCode.NotFound);
        var health = await http.CallAsync("HealthCheck");
        Assert.Equal((1, 0), (health.GetProperty("MaxSessions").GetInt32(), health.GetProperty("FreeSessions").GetInt32()));
        Assert.False((await http.CallAsync("Capabilities")).GetProperty("Snapshots").GetBoolean());
        await http.CallAsync("DestroySession", """{"SessionID":"a"}""");

        // The same listener counts the calls, by method and code.
        var metrics = (await http.SendAsync(HttpMethod.Get, "/metrics", null)).Text;
        Assert.Contains("vivarium_session_requests_total{method=\"CreateSession\",code=\"resource_exhausted\"} 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("vivarium_session_requests_total{method=\"ExecuteTool\",code=\"ok\"} 1\n", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Destroying_a_session_that_is_being_made_wins()
    {
        var making = http.TryAsync("CreateSession", """{"SessionID":"brief"}""");
        await TestKit.Eventually.True(async () => (await http.CallAsync("ListSessions")).GetProperty("Sessions").GetArrayLength() == 1, TimeSpan.FromSeconds(20));
        await http.CallAsync("DestroySession", """{"SessionID":"brief"}""");
        var made = await making;
        Assert.True(made.Status == HttpStatusCode.OK || made.Json.GetProperty("code").GetString() == "canceled", made.Text);
        Assert.Empty(await daemon.ListAsync());
        await http.RefusedAsync("GetSession", """{"SessionID":"brief"}""", "not_found", HttpStatusCode.NotFound);
    }
}
