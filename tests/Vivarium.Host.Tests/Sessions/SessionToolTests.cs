using System.Net;
using System.Text;
using System.Text.Json;
using Vivarium.Host.Tests.Snapshots;
using Vivarium.TestKit;

namespace Vivarium.Host.Tests.Sessions;

/// <summary>Tools over the session service: answers, streams, and what happens when the caller leaves.</summary>
[Collection(SessionTests.Name)]
public sealed class SessionToolTests(SessionDaemon shared) : IAsyncLifetime
{
    private static int calls;
    private string sandbox = "";

    private SessionHttp Http => shared.Http;

    public async ValueTask InitializeAsync() =>
        sandbox = (await Http.CallAsync("CreateSession", """{"SessionID":"t"}""")).GetProperty("Session").GetProperty("SandboxID").GetString()!;

    public async ValueTask DisposeAsync() => await shared.Daemon.DestroyAllAsync();

    [Fact]
    public async Task An_answer_has_everything_there_is_to_know()
    {
        var good = await Http.CallAsync("ExecuteTool", Call("printf 'häß\\n'; echo oops >&2", id: "first"));
        Assert.Equal(("t", "first", "bash", 2, 0), (Text(good, "SessionID"), Text(good, "ToolCallID"), Text(good, "ToolName"), good.GetProperty("Tier").GetInt32(), good.GetProperty("ExitCode").GetInt32()));
        Assert.Contains("häß", Text(good, "Content"), StringComparison.Ordinal);
        Assert.Contains("oops", Text(good, "Content"), StringComparison.Ordinal);
        Assert.Equal(("text", Text(good, "Content")), (Text(good.GetProperty("ContentBlocks")[0], "Type"), Text(good.GetProperty("ContentBlocks")[0], "Text")));
        Assert.True(good.GetProperty("Duration").GetInt64() >= 1_000_000, "a duration is in nanoseconds");
        foreach (var flag in new[] { "IsError", "TimedOut", "OOM", "Truncated", "Repeated" })
        {
            Assert.False(good.GetProperty(flag).GetBoolean(), flag);
        }

        // What fails is no error of the call, and can be told from a success.
        var bad = await Http.CallAsync("ExecuteTool", Call("echo no; exit 7"));
        Assert.Equal((true, 7), (bad.GetProperty("IsError").GetBoolean(), bad.GetProperty("ExitCode").GetInt32()));
        var late = await Http.CallAsync("ExecuteTool", """{"SessionID":"t","ToolName":"bash","ToolCallID":"late","Params":{"cmd":"sleep 30","timeout_ms":300}}""");
        Assert.Equal((true, true), (late.GetProperty("TimedOut").GetBoolean(), late.GetProperty("IsError").GetBoolean()));
    }

    [Fact]
    public async Task What_is_wrong_with_a_call_is_said_by_code()
    {
        foreach (var (body, reason) in new[]
        {
            ("""{"ToolName":"bash","ToolCallID":"x"}""", "missing_field"),
            ("""{"SessionID":"t","ToolCallID":"x"}""", "missing_field"),
            ("""{"SessionID":"t","ToolName":"bash","Params":{"cmd":"true"}}""", "missing_field"),
            ("""{"SessionID":"t","ToolName":"rm_rf","ToolCallID":"x"}""", "unknown_tool"),
            ("""{"SessionID":"t","ToolName":"bash","ToolCallID":"x"}""", "bad_arguments"),
            ("""{"SessionID":"t","ToolName":"bash","ToolCallID":"x","Params":"true"}""", "bad_arguments"),
            ("""{"SessionID":"t","ToolName":"bash","ToolCallID":"x","Params":{"cmd":"true"},"Resources":{"CPUs":0.5}}""", "resources_of_session"),
        })
        {
            Assert.Equal(reason, (await Http.RefusedAsync("ExecuteTool", body, "invalid_argument", HttpStatusCode.BadRequest)).Reason);
            Assert.Equal(("invalid_argument", reason), await EndAsync(body));
        }

        Assert.Equal(("not_found", "no_such_session"), await EndAsync("""{"SessionID":"nobody","ToolName":"bash","ToolCallID":"x","Params":{"cmd":"true"}}"""));
        await Http.CallAsync("PauseSession", """{"SessionID":"t"}""");
        await Http.RefusedAsync("ExecuteTool", Call("true"), "failed_precondition", HttpStatusCode.BadRequest);
        Assert.Equal("failed_precondition", (await EndAsync(Call("true"))).Code);

        // Larger limits than the session's change nothing.
        await Http.CallAsync("ResumeSession", """{"SessionID":"t"}""");
        await Http.CallAsync("ExecuteTool", """{"SessionID":"t","ToolName":"bash","ToolCallID":"roomy","Params":{"cmd":"true"},"Resources":{"CPUs":64,"MemMB":0}}""");
    }

    [Fact]
    public async Task A_stream_brings_output_while_it_comes_and_one_answer()
    {
        var seen = new StringBuilder();
        var released = false;
        var answers = 0;
        var ends = 0;
        await foreach (var (flags, message) in Http.StreamAsync("ExecuteToolStream", Call("echo begun; while [ ! -e /go ]; do sleep 0.02; done; echo gone on; echo wrong >&2")))
        {
            Assert.Equal(0, ends);
            if (flags == 2)
            {
                ends++;
                Assert.Equal("{}", message.GetRawText());
            }
            else if (message.GetProperty("Progress") is { ValueKind: JsonValueKind.Object } progress)
            {
                Assert.Equal(0, answers);
                seen.Append(Text(progress, "Content"));

                // The tool is still running: it waits for what only we do now.
                if (!released && seen.ToString().Contains("begun", StringComparison.Ordinal))
                {
                    released = true;
                    Assert.Equal(1, (await Http.CallAsync("HealthCheck")).GetProperty("ActiveTools").GetInt32());
                    await shared.Daemon.ShAsync(sandbox, "touch /go");
                }
            }
            else
            {
                answers++;
                Assert.Equal(0, message.GetProperty("Response").GetProperty("ExitCode").GetInt32());
                Assert.Contains("gone on", Text(message.GetProperty("Response"), "Content"), StringComparison.Ordinal);
            }
        }

        Assert.Equal((true, 1, 1), (released, answers, ends));
        Assert.Contains("gone on", seen.ToString(), StringComparison.Ordinal);
        Assert.Contains("wrong", seen.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_envelope_is_held_to_the_protocol()
    {
        foreach (var (body, code) in new (byte[] Body, string Code)[]
        {
            ([], "unimplemented"),
            ([0, 0, 0], "invalid_argument"),
            ([0, 0, 0, 0, 9, (byte)'{', (byte)'}'], "invalid_argument"),
            ([1, 0, 0, 0, 2, (byte)'{', (byte)'}'], "internal"),
            ([128, 0, 0, 0, 2, (byte)'{', (byte)'}'], "invalid_argument"),
            ([.. SessionHttp.Envelope("{}"), .. SessionHttp.Envelope("{}")], "unimplemented"),
            (SessionHttp.Envelope("not json"), "invalid_argument"),
        })
        {
            var answer = await Http.SendAsync(HttpMethod.Post, "ExecuteToolStream", new ByteArrayContent(body) { Headers = { ContentType = new("application/connect+json") } });
            Assert.Equal((HttpStatusCode.OK, "application/connect+json"), (answer.Status, answer.ContentType));
            Assert.Contains($"\"code\":\"{code}\"", answer.Text, StringComparison.Ordinal);
        }

        var unary = await Http.TryAsync("ExecuteToolStream", "{}");
        Assert.Equal((HttpStatusCode.UnsupportedMediaType, "application/connect+json"), (unary.Status, unary.Headers["Accept-Post"]));
        var compressed = await Http.SendAsync(
            HttpMethod.Post, "ExecuteToolStream", new ByteArrayContent(SessionHttp.Envelope("{}")) { Headers = { ContentType = new("application/connect+json") } }, ("connect-content-encoding", "gzip"));
        Assert.Contains("\"code\":\"unimplemented\"", compressed.Text, StringComparison.Ordinal);
        var stranger = await new SessionHttp(shared.Address, null).SendAsync(
            HttpMethod.Post, "ExecuteToolStream", new ByteArrayContent(SessionHttp.Envelope("{}")) { Headers = { ContentType = new("application/connect+json") } });
        Assert.Contains("\"code\":\"unauthenticated\"", stranger.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tool_does_not_die_with_the_connection_that_asked_for_it()
    {
        using (var leaving = new CancellationTokenSource())
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await foreach (var (_, message) in Http.StreamAsync("ExecuteToolStream", Call("echo x >>/ran; echo up; while [ ! -e /go ]; do sleep 0.02; done; echo late", id: "left"), cancellationToken: leaving.Token))
                {
                    await leaving.CancelAsync();
                }
            });
        }

        // Its deadline ends the waiting only; and whoever comes back with its id gets the one answer there is.
        Assert.Equal(("deadline_exceeded", "deadline"), await EndAsync(Call("echo x >>/ran; echo up; while [ ! -e /go ]; do sleep 0.02; done; echo late", id: "left"), ("connect-timeout-ms", "200")));
        var waiting = Http.CallAsync("ExecuteTool", Call("echo x >>/ran; echo up; while [ ! -e /go ]; do sleep 0.02; done; echo late", id: "left"));
        await shared.Daemon.ShAsync(sandbox, "touch /go");
        var answer = await waiting;
        Assert.Contains("late", Text(answer, "Content"), StringComparison.Ordinal);
        Assert.True(answer.GetProperty("Repeated").GetBoolean());
        Assert.Equal("x\n", await shared.Daemon.ShAsync(sandbox, "cat /ran"));
        await Eventually.True(async () => (await Http.CallAsync("HealthCheck")).GetProperty("ActiveTools").GetInt32() == 0, TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_rollback_under_running_tools_is_refused_unless_forced()
    {
        await Http.CallAsync("TurnComplete", """{"SessionID":"t"}""");
        var running = Http.TryAsync("ExecuteTool", Call("touch /up; sleep 60"));
        await Eventually.True(async () => await shared.Daemon.ShAsync(sandbox, "test -e /up && echo yes || true") == "yes\n", TimeSpan.FromSeconds(10));
        Assert.Equal("tools_in_flight", (await Http.RefusedAsync("RollbackSession", """{"SessionID":"t","SnapshotID":"turn-0001"}""", "failed_precondition", HttpStatusCode.BadRequest)).Reason);
        await Http.CallAsync("RollbackSession", """{"SessionID":"t","SnapshotID":"turn-0001","Force":true}""");
        var ended = await running;
        Assert.Equal(("failed_precondition", "rolled_back"), (Text(ended.Json, "code"), Text(ended.Json.GetProperty("details")[0].GetProperty("debug"), "reason")));
    }

    [Fact]
    public async Task A_slow_reader_misses_progress_and_not_the_answer()
    {
        var skipped = 0L;
        var read = 0L;
        var answer = default(JsonElement);
        var first = true;
        await foreach (var (_, message) in Http.StreamAsync("ExecuteToolStream", Call("i=0; while [ $i -lt 30 ]; do head -c 1000000 /dev/zero | tr '\\000' x; i=$((i+1)); done; touch /written")))
        {
            if (first)
            {
                // Not read for as long as the tool writes; it does not wait for us.
                first = false;
                await Eventually.True(async () => await shared.Daemon.ShAsync(sandbox, "test -e /written && echo yes || true") == "yes\n", TimeSpan.FromSeconds(30));
            }

            if (message.TryGetProperty("Progress", out var progress) && progress.ValueKind == JsonValueKind.Object)
            {
                read += Text(progress, "Content").Length;
                skipped += progress.GetProperty("Skipped").GetInt64();
            }
            else if (message.TryGetProperty("Response", out var response))
            {
                answer = response;
            }
        }

        Assert.InRange(read, 1, 20_000_000);
        Assert.InRange(read + skipped, read, 30_000_000);
        Assert.Equal((0, true), (answer.GetProperty("ExitCode").GetInt32(), answer.GetProperty("Truncated").GetBoolean()));
    }

    [Fact]
    public async Task An_answer_that_is_too_long_for_a_message_is_cut_in_the_middle()
    {
        // Ten megabytes of what JSON writes sixfold.
        var long_ = await Http.CallAsync("ExecuteTool", Call("echo begin; head -c 9000000 /dev/zero | tr '\\000' '\\001'; echo end"));
        Assert.True(long_.GetProperty("Truncated").GetBoolean());
        var content = Text(long_, "Content");
        Assert.StartsWith("begin\n", content, StringComparison.Ordinal);
        Assert.EndsWith("end", content.TrimEnd(), StringComparison.Ordinal);
        Assert.InRange(content.Length, 500_000, 9_000_000);
    }

    private static string Call(string command, string? id = null) => JsonSerializer.Serialize(new
    {
        SessionID = "t",
        ToolName = "bash",
        ToolCallID = id ?? $"call-{Interlocked.Increment(ref calls)}",
        Params = new { cmd = command },
    });

    private async Task<(string Code, string Reason)> EndAsync(string body, params (string Name, string Value)[] headers)
    {
        var last = default((byte Flags, JsonElement Message));
        await foreach (var message in Http.StreamAsync("ExecuteToolStream", body, headers))
        {
            last = message;
        }

        Assert.Equal(2, last.Flags);
        var error = last.Message.GetProperty("error");
        return (Text(error, "code"), Text(error.GetProperty("details")[0].GetProperty("debug"), "reason"));
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
