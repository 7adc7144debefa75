using System.Text.Json;

namespace Vivarium.Cli.Tests;

/// <summary>exec against a scripted supervisor: streams, exit codes, ends of all kinds.</summary>
public sealed class ExecTests
{
    [Theory]
    [InlineData("""{"type":"exit","code":0}""", 0)]
    [InlineData("""{"type":"exit","code":7}""", 7)]
    [InlineData("""{"type":"exit","code":255}""", 255)]
    [InlineData("""{"type":"exit","signal":9}""", 137)]
    [InlineData("""{"type":"exit","signal":15}""", 143)]
    public void The_exit_code_passes_through(string exit, int code)
    {
        using var daemon = new FakeDaemon { Stream = stream => Process(stream, exit) };
        var run = CliRun.Of(daemon, ["exec", "quiet-fox", "--", "sh", "-c", "x"]);
        Assert.Equal((code, "out\n", "err\n"), (run.Code, run.Output, run.Errors));
        Assert.Equal(
            [
                """sandbox.ticket {"ref":"quiet-fox","port":1025}""",
                """connect {"connect":1025,"ticket":"t1"}""",
            ],
            daemon.Asked);
    }

    [Theory]
    [InlineData("command_not_found", "not_found", 127)]
    [InlineData("not_executable", "failed_precondition", 126)]
    [InlineData("no_such_user", "not_found", 125)]
    public void A_command_that_cannot_start(string reason, string code, int exitCode)
    {
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                stream.ReadLine();
                stream.Write($$$"""{"error":{"code":"{{{code}}}","message":"cannot start x","reason":"{{{reason}}}"}}""" + "\n");
            },
        };
        var run = CliRun.Of(daemon, ["exec", "quiet-fox", "--", "x"]);
        Assert.Equal((exitCode, "", $"error: cannot start x ({code}, {reason})\n"), (run.Code, run.Output, run.Errors));
    }

    [Theory]
    [InlineData("""{"type":"exit","signal":9,"oom":true}""", "viv: the command was killed: the sandbox ran out of memory\n")]
    [InlineData("""{"type":"exit","signal":9,"timed_out":true}""", "viv: the command was killed: its time was up (1m30s)\n")]
    public void Why_it_was_killed_is_said(string exit, string message)
    {
        using var daemon = new FakeDaemon { Stream = stream => Process(stream, exit) };
        var run = CliRun.Of(daemon, ["exec", "--timeout", "90s", "quiet-fox", "--", "x"]);
        Assert.Equal((137, "err\n" + message), (run.Code, run.Errors));
    }

    [Fact]
    public void Input_is_forwarded_to_its_end()
    {
        var sent = new List<(byte, string)>();
        string? request = null;
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                request = stream.ReadLine();
                stream.Write("{\"pid\":5}\n");
                while (stream.ReadFrame() is { } frame)
                {
                    sent.Add(frame);
                    if (frame.Text.Length == 0)
                    {
                        break;
                    }

                    stream.Frame(1, frame.Text);
                }

                stream.Frame(4, """{"type":"exit","code":0}""");
            },
        };
        var run = CliRun.Of(daemon, ["exec", "-u", "user", "-w", "/tmp", "-e", "K=V", "quiet-fox", "--", "cat", "-n"], "hi\nthere\n");
        Assert.Equal((0, "hi\nthere\n"), (run.Code, run.Output));
        Assert.Equal([(0, "hi\nthere\n"), (0, "")], sent);
        Assert.Equal("""{"argv":["cat","-n"],"cwd":"/tmp","env":{"K":"V"},"user":"user","stdin":true,"kill_on_disconnect":true}""", request);
    }

    [Fact]
    public void Without_input_nothing_is_read()
    {
        string? request = null;
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                request = stream.ReadLine();
                stream.Write("{\"pid\":5}\n");
                stream.Frame(4, """{"type":"exit","code":0}""");
            },
        };
        Assert.Equal(0, CliRun.Of(daemon, ["exec", "-N", "quiet-fox", "--", "true"], "unread").Code);
        Assert.False(JsonDocument.Parse(request!).RootElement.TryGetProperty("stdin", out var stdin) && stdin.GetBoolean());
    }

    [Fact]
    public void A_sandbox_that_ends_first_is_our_failure()
    {
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                stream.ReadLine();
                stream.Write("{\"pid\":5}\n");
                stream.Frame(1, "half");
            },
        };
        var run = CliRun.Of(daemon, ["exec", "quiet-fox", "--", "x"]);
        Assert.Equal((125, "half"), (run.Code, run.Output));
        Assert.Contains("(unavailable, stream_ended)", run.Errors, StringComparison.Ordinal);

        daemon.Answer("sandbox.get", Samples.OneLine(Samples.Owl));
        Assert.Contains(
            "error: sandbox old-owl ended before the command did: the sandbox ran out of memory (unavailable, oom)",
            CliRun.Of(daemon, ["exec", "quiet-fox", "--", "x"]).Errors,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Large_output_arrives_whole_and_in_order()
    {
        var content = new byte[8 * 1024 * 1024];
        new Random(1).NextBytes(content);
        for (var i = 0; i < content.Length; i++)
        {
            content[i] = (byte)('a' + (content[i] % 26));
        }

        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                stream.ReadLine();
                stream.Write("{\"pid\":5}\n");
                for (var at = 0; at < content.Length;)
                {
                    var length = Math.Min(content.Length - at, 1 + (at * 7 % 300_000));
                    stream.Frame(1, content.AsSpan(at, length));
                    at += length;
                }

                stream.Frame(4, """{"type":"exit","code":0}""");
            },
        };
        var run = CliRun.Of(daemon, ["exec", "quiet-fox", "--", "x"]);
        Assert.Equal(0, run.Code);
        Assert.True(System.Text.Encoding.ASCII.GetString(content) == run.Output);
    }

    [Fact]
    public void A_frame_longer_than_allowed_is_refused()
    {
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                stream.ReadLine();
                stream.Write("{\"pid\":5}\n");
                stream.Write(new byte[] { 1, 0x7f, 0xff, 0xff, 0xff });
                stream.ReadLine();
            },
        };
        var run = CliRun.Of(daemon, ["exec", "quiet-fox", "--", "x"]);
        Assert.Equal(125, run.Code);
        Assert.Contains("more than allowed", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void In_the_background_it_is_launched_and_its_pid_printed()
    {
        using var daemon = new FakeDaemon().Answer("process.launch", """{"id":"proc-a1b2c3d4e5f6g7h8i9j0","pid":23,"argv":["server"],"status":"running","started_unix_ms":1}""");
        var run = CliRun.Of(daemon, ["exec", "-d", "--tag", "web", "quiet-fox", "--", "server"]);
        Assert.Equal((0, "23\n"), (run.Code, run.Output));
        Assert.Equal("""process.launch {"ref":"quiet-fox","request":{"argv":["server"],"stdin":false,"tag":"web","kill_on_disconnect":false}}""", daemon.Asked[0]);
    }

    [Fact]
    public void Run_creates_runs_and_removes()
    {
        using var daemon = Creating(stream => Process(stream, """{"type":"exit","code":7}"""));
        var run = CliRun.Of(daemon, ["run", "--template", "tiny", "--", "sh", "-c", "exit 7"]);
        Assert.Equal((7, "out\n", "err\n"), (run.Code, run.Output, run.Errors));
        Assert.Equal(
            ["sandbox.begin_create", "operation.wait", "sandbox.get", "sandbox.ticket", "connect", "sandbox.destroy"],
            daemon.Asked.Select(asked => asked.Split(' ')[0]));
        Assert.Equal("""sandbox.destroy {"ref":"k3j5x8q2m4n7p9r1t6v0","force":true,"now":true}""", daemon.Asked[^1]);
    }

    [Fact]
    public void Run_removes_also_when_the_command_cannot_start()
    {
        using var daemon = Creating(stream =>
        {
            stream.ReadLine();
            stream.Write("""{"error":{"code":"not_found","message":"no such command","reason":"command_not_found"}}""" + "\n");
        });
        Assert.Equal(127, CliRun.Of(daemon, ["run", "--", "nope"]).Code);
        Assert.StartsWith("sandbox.destroy", daemon.Asked[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Run_in_the_background_leaves_it_and_prints_the_name()
    {
        using var daemon = Creating(null).Answer("process.launch", """{"id":"proc-a1b2c3d4e5f6g7h8i9j0","pid":3,"argv":["server"],"status":"running","started_unix_ms":1}""");
        var run = CliRun.Of(daemon, ["run", "-d", "--", "server"]);
        Assert.Equal((0, "quiet-fox\n"), (run.Code, run.Output));
        Assert.DoesNotContain(daemon.Asked, asked => asked.StartsWith("sandbox.destroy", StringComparison.Ordinal));
    }

    [Fact]
    public void A_creation_that_fails_shows_the_operation_of_its_defect()
    {
        using var daemon = new FakeDaemon()
            .Answer("sandbox.begin_create", """{"operation_id":"op-0123456789abcdef"}""")
            .Answer("operation.wait", """{"operation_id":"op-0123456789abcdef","kind":"sandbox.create","status":"failed","error":{"code":"internal","message":"it broke"},"started_unix_ms":1}""");
        var run = CliRun.Of(daemon, ["run", "--", "true"]);
        Assert.Equal((125, "error: it broke (internal)\noperation: op-0123456789abcdef\n"), (run.Code, run.Errors));
    }

    private static FakeDaemon Creating(Action<FakeStream>? stream)
    {
        var daemon = new FakeDaemon { Stream = stream };
        return daemon
            .Answer("sandbox.begin_create", """{"operation_id":"op-0123456789abcdef"}""")
            .Answer("operation.wait", """{"operation_id":"op-0123456789abcdef","kind":"sandbox.create","status":"succeeded","sandbox_id":"k3j5x8q2m4n7p9r1t6v0","started_unix_ms":1}""")
            .Answer("sandbox.get", Samples.OneLine(Samples.Fox))
            .Answer("sandbox.destroy", "{}");
    }

    private static void Process(FakeStream stream, string exit)
    {
        stream.ReadLine();
        stream.Write("{\"pid\":5}\n");
        stream.Frame(1, "out\n");
        stream.Frame(2, "err\n");
        stream.Frame(4, exit);
    }
}
