using System.Net;
using System.Text.Json;
using Vivarium.Host.Tests.Snapshots;
using Vivarium.Host.Tests.Support;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Sessions;

/// <summary>Sessions over the wire: made, shown, paused, rolled back, destroyed; and what is refused, by code.</summary>
[Collection(SessionTests.Name)]
public sealed class SessionLifecycleTests(SessionDaemon shared) : IAsyncLifetime
{
    private SessionHttp Http => shared.Http;

    private TestDaemon Daemon => shared.Daemon;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await Daemon.DestroyAllAsync();

    [Fact]
    public async Task A_session_lives_under_the_id_its_creator_gave_it()
    {
        var made = await Http.CallAsync("CreateSession", """{"SessionID":"Agent_7.run-1","Labels":{"team":"red"},"BaseSnapshot":"tiny","Quota":0,"Resources":null,"NotKnownYet":{"a":1}}""");
        var session = made.GetProperty("Session");
        var id = session.GetProperty("SandboxID").GetString()!;
        Assert.Equal("Agent_7.run-1", session.GetProperty("ID").GetString());
        Assert.Equal("active", session.GetProperty("State").GetString());
        Assert.Equal(2, session.GetProperty("Tier").GetInt32());
        Assert.Equal("red", session.GetProperty("Labels").GetProperty("team").GetString());
        Assert.InRange(session.GetProperty("Created").GetDateTimeOffset(), DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(200));
        foreach (var capability in new[] { "Snapshots", "Rollback", "Pause", "StreamingProgress", "TierRouting" })
        {
            Assert.True(made.GetProperty("ServerCapabilities").GetProperty(capability).GetBoolean(), capability);
        }

        // Both ids name it; its name for people and beginnings do not.
        Assert.Equal(id, (await Show("Agent_7.run-1")).GetProperty("SandboxID").GetString());
        Assert.Equal("Agent_7.run-1", (await Show(id)).GetProperty("ID").GetString());
        await NotFound("GetSession", session.GetProperty("Name").GetString()!);
        await NotFound("GetSession", id[..12]);
        await NotFound("GetSession", "Agent_7");
        Assert.Equal("external_id_taken", (await Http.RefusedAsync("CreateSession", """{"SessionID":"Agent_7.run-1"}""", "already_exists", HttpStatusCode.Conflict)).Reason);
        Assert.Equal("external_id_taken", (await Http.RefusedAsync("CreateSession", Body(id), "already_exists", HttpStatusCode.Conflict)).Reason);

        // A sandbox made elsewhere is a session too.
        var other = await Daemon.CreateAsync("made-by-viv");
        Assert.Equal(other.Id, (await Show(other.Id)).GetProperty("ID").GetString());
        var listed = (await Http.CallAsync("ListSessions")).GetProperty("Sessions").EnumerateArray().Select(s => s.GetProperty("ID").GetString()!).ToList();
        Assert.Equal(["Agent_7.run-1", other.Id], listed);
        Assert.Equal(1, (await Http.CallAsync("ListSessions", """{"Labels":{"team":"red"}}""")).GetProperty("Sessions").GetArrayLength());
        Assert.Equal(0, (await Http.CallAsync("ListSessions", """{"States":["paused"]}""")).GetProperty("Sessions").GetArrayLength());

        // The id is in the database: another daemon knows it.
        await Daemon.KillAsync();
        await Daemon.StartAgainAsync();
        await shared.FollowAsync();
        var again = await Show("Agent_7.run-1");
        Assert.Equal((id, "red", "active"), (again.GetProperty("SandboxID").GetString(), again.GetProperty("Labels").GetProperty("team").GetString(), again.GetProperty("State").GetString()));

        Assert.Equal("{}", (await Http.CallAsync("DestroySession", Body("Agent_7.run-1"))).GetRawText());
        await NotFound("GetSession", "Agent_7.run-1");
        await Http.CallAsync("DestroySession", Body("Agent_7.run-1"));
        await NotFound("DestroySession", "never-was");
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a..b")]
    [InlineData("../etc")]
    [InlineData("a/b")]
    [InlineData("a:b")]
    [InlineData("-a")]
    [InlineData("a b")]
    [InlineData("a\\u0000b")]
    [InlineData("ä")]
    [InlineData("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]
    public async Task A_malformed_id_is_refused_on_every_store(string id)
    {
        Assert.Equal("bad_external_id", (await Http.RefusedAsync("CreateSession", $$"""{"SessionID":"{{id}}"}""", "invalid_argument", HttpStatusCode.BadRequest)).Reason);
        Assert.Empty(await Daemon.ListAsync());
    }

    [Fact]
    public async Task What_cannot_be_is_refused_by_code_before_anything_is_made()
    {
        await Http.RefusedAsync("CreateSession", """{"BaseSnapshot":"no-such-template"}""", "not_found", HttpStatusCode.NotFound);
        await Http.RefusedAsync("CreateSession", """{"BaseSnapshot":"tank/sessions/x@y"}""", "not_found", HttpStatusCode.NotFound);
        await Http.RefusedAsync("CreateSession", """{"Labels":{"a b":"c"}}""", "invalid_argument", HttpStatusCode.BadRequest);
        await Http.RefusedAsync("CreateSession", """{"Quota":-5}""", "invalid_argument", HttpStatusCode.BadRequest);
        await Http.RefusedAsync("CreateSession", """{"Resources":{"CPUs":-1}}""", "invalid_argument", HttpStatusCode.BadRequest);
        await Http.RefusedAsync("CreateSession", """{"Resources":{"MemMB":9223372036854775807}}""", "invalid_argument", HttpStatusCode.BadRequest);
        await Http.RefusedAsync("CreateSession", """{"Timeout":-1}""", "invalid_argument", HttpStatusCode.BadRequest);
        await Http.RefusedAsync("CreateSession", """{"Runtime":"direct"}""", "permission_denied", HttpStatusCode.Forbidden);
        Assert.Equal("capability_missing", (await Http.RefusedAsync(
            "CreateSession", """{"Runtime":"direct","RequiredCapabilities":{"TierRouting":true}}""", "failed_precondition", HttpStatusCode.BadRequest)).Reason);
        foreach (var method in new[] { "GetSession", "PauseSession", "ResumeSession", "DestroySession", "TurnComplete", "CreateSnapshot", "ListSnapshots" })
        {
            Assert.Equal("missing_field", (await Http.RefusedAsync(method, "{}", "invalid_argument", HttpStatusCode.BadRequest)).Reason);
            Assert.Equal("missing_field", (await Http.RefusedAsync(method, """{"SessionID":""}""", "invalid_argument", HttpStatusCode.BadRequest)).Reason);
            await NotFound(method, "no-such-session");
        }

        Assert.Empty(await Daemon.ListAsync());
    }

    [Fact]
    public async Task It_is_paused_resumed_and_started_again()
    {
        await Create("still");
        Assert.Equal("paused", State(await Http.CallAsync("PauseSession", Body("still"))));
        var refused = await Http.RefusedAsync("PauseSession", Body("still"), "failed_precondition", HttpStatusCode.BadRequest);
        Assert.Equal("already_paused", refused.Reason);
        await Http.RefusedAsync("TurnComplete", Body("still"), "failed_precondition", HttpStatusCode.BadRequest);
        Assert.Equal("active", State(await Http.CallAsync("ResumeSession", Body("still"))));
        Assert.Equal("already_running", (await Http.RefusedAsync("ResumeSession", Body("still"), "failed_precondition", HttpStatusCode.BadRequest)).Reason);

        // Stopped by somebody else, it stands still and can be resumed.
        await using (var client = await Daemon.ConnectAsync())
        {
            await client.StopAsync(new StopSandboxParams { Ref = (await Show("still")).GetProperty("SandboxID").GetString()!, Force = true }, CancellationToken.None);
        }

        Assert.Equal("paused", (await Show("still")).GetProperty("State").GetString());
        Assert.Equal("active", State(await Http.CallAsync("ResumeSession", Body("still"))));
    }

    [Fact]
    public async Task Turns_snapshots_and_rollback()
    {
        var id = await Create("turns");
        await Daemon.ShAsync(id, "echo one >/note");
        var first = await Http.CallAsync("TurnComplete", """{"SessionID":"turns","Label":"wrote","Message":"a note"}""");
        Assert.Equal(("turn-0001", 1), (first.GetProperty("SnapshotID").GetString(), first.GetProperty("TurnNumber").GetInt32()));
        await Daemon.ShAsync(id, "echo two >/note");

        // Two at once have two numbers.
        var both = await Task.WhenAll(Http.CallAsync("TurnComplete", Body("turns")), Http.CallAsync("TurnComplete", Body("turns")));
        Assert.Equal([2, 3], both.Select(b => b.GetProperty("TurnNumber").GetInt32()).Order());
        var named = await Http.CallAsync("CreateSnapshot", """{"SessionID":"turns","Name":"by-hand"}""");
        Assert.Equal(("by-hand", 0), (named.GetProperty("SnapshotID").GetString(), named.GetProperty("TurnNumber").GetInt32()));
        Assert.Equal("reserved_name", (await Http.RefusedAsync("CreateSnapshot", """{"SessionID":"turns","Name":"turn-0009"}""", "invalid_argument", HttpStatusCode.BadRequest)).Reason);
        Assert.Equal("name_taken", (await Http.RefusedAsync("CreateSnapshot", """{"SessionID":"turns","Name":"by-hand"}""", "already_exists", HttpStatusCode.Conflict)).Reason);

        // A mistyped name changes nothing.
        Assert.Equal("no_such_snapshot", (await Http.RefusedAsync("RollbackSession", """{"SessionID":"turns","SnapshotID":"trun-0001"}""", "not_found", HttpStatusCode.NotFound)).Reason);
        Assert.Equal("missing_field", (await Http.RefusedAsync("RollbackSession", Body("turns"), "invalid_argument", HttpStatusCode.BadRequest)).Reason);
        Assert.Equal(("active", "two\n"), ((await Show("turns")).GetProperty("State").GetString(), await Daemon.ShAsync(id, "cat /note")));

        var back = await Http.CallAsync("RollbackSession", """{"SessionID":"turns","SnapshotID":"turn-0001"}""");
        Assert.Equal(("active", "turn-0001"), (State(back), back.GetProperty("Session").GetProperty("Snapshot").GetString()));
        Assert.Equal("one\n", await Daemon.ShAsync(id, "cat /note"));

        // The number goes on where it was, and what came later is kept.
        Assert.Equal(4, (await Http.CallAsync("TurnComplete", Body("turns"))).GetProperty("TurnNumber").GetInt32());
        var listed = (await Http.CallAsync("ListSnapshots", Body("turns"))).GetProperty("Snapshots").EnumerateArray().ToList();
        Assert.Equal(["turn-0001", "turn-0002", "turn-0003", "by-hand", "turn-0004"], listed.Select(s => s.GetProperty("Name").GetString()));
        Assert.Equal("turn-0001", listed[^1].GetProperty("Parent").GetString());
        Assert.Equal(("wrote", "a note", 1), (listed[0].GetProperty("Label").GetString(), listed[0].GetProperty("Message").GetString(), listed[0].GetProperty("Added").GetInt32()));
        Assert.Equal(1, (await Http.CallAsync("ListSnapshots", """{"SessionID":"turns","Kind":"named"}""")).GetProperty("Snapshots").GetArrayLength());
        var shown = await Show("turns");
        Assert.Equal((4, 5), (shown.GetProperty("TurnCount").GetInt32(), shown.GetProperty("SnapCount").GetInt32()));
        Assert.True(shown.GetProperty("SpaceUsed").GetInt64() > 0, "space is counted");
    }

    [Fact]
    public async Task Health_and_capabilities_say_what_a_chooser_of_hosts_needs()
    {
        await Create("one");
        var health = await Http.CallAsync("HealthCheck");
        Assert.Equal(("healthy", "ONLINE", 1, 500, 499), (health.GetProperty("Status").GetString(), health.GetProperty("PoolState").GetString(), health.GetProperty("SessionCount").GetInt32(), health.GetProperty("MaxSessions").GetInt32(), health.GetProperty("FreeSessions").GetInt32()));
        Assert.True(health.GetProperty("Uptime").GetInt64() > 0);
        var space = health.GetProperty("PoolSpace");
        Assert.InRange(space.GetProperty("Free").GetInt64(), 1, space.GetProperty("Size").GetInt64());
        Assert.InRange(space.GetProperty("Capacity").GetDouble(), 0, 1);
        var can = await Http.CallAsync("Capabilities");
        Assert.True(can.GetProperty("Snapshots").GetBoolean());
        Assert.Equal(("btrfs", "v1", "v1"), (can.GetProperty("StorageBackend").GetString(), can.GetProperty("APIVersion").GetString(), can.GetProperty("MinAPIVersion").GetString()));
        Assert.Contains("container", can.GetProperty("Runtimes").EnumerateArray().Select(r => r.GetString()));
        Assert.Equal("healthy\n", (await new SessionHttp(shared.Address, null).SendAsync(HttpMethod.Get, "/health", null)).Text);
    }

    private async Task<string> Create(string id) => (await Http.CallAsync("CreateSession", Body(id))).GetProperty("Session").GetProperty("SandboxID").GetString()!;

    private async Task<JsonElement> Show(string id) => (await Http.CallAsync("GetSession", Body(id))).GetProperty("Session");

    private async Task NotFound(string method, string id) =>
        Assert.Equal("no_such_session", (await Http.RefusedAsync(method, Body(id), "not_found", HttpStatusCode.NotFound)).Reason);

    private static string State(JsonElement answer) => answer.GetProperty("Session").GetProperty("State").GetString()!;

    private static string Body(string id) => $$"""{"SessionID":"{{id}}"}""";
}
