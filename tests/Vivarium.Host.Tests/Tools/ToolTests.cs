using System.Globalization;
using System.Text.Json;
using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Transport.Host;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Tools;

/// <summary>The tools on both kinds of isolation: one implementation, so the same answers. git has its tests where there is a git (Vivarium.Acceptance).</summary>
[Collection(DaemonTests.Name)]
public sealed class ToolTests(ToolDaemon shared) : IClassFixture<ToolDaemon>, IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private HostClient client = null!;

    private TestDaemon Daemon => shared.Daemon;

    public async ValueTask InitializeAsync() => client = await Daemon.ConnectAsync();

    public async ValueTask DisposeAsync()
    {
        await Daemon.DestroyAllAsync();
        await client.DisposeAsync();
    }

    [Theory]
    [InlineData("container")]
    [InlineData("gvisor")]
    public async Task Files_are_written_read_edited_and_searched(string runtime)
    {
        await client.CreateAsync(new CreateParams { Name = "box", Runtime = runtime }, None);
        Assert.Equal("wrote 17 bytes to /root/d/e/f.txt", (await client.ToolAsync("box", "write_file", """{"path": "d/e/f.txt", "content": "one\ntwo\nthree é\n", "mode": "640"}""")).Content);
        var read = await client.ToolAsync("box", "read_file", """{"path": "d/e/f.txt"}""");
        Assert.Equal(("     1\tone\n     2\ttwo\n     3\tthree é\n", false, false), (read.Content, read.Truncated, read.IsError));
        var part = await client.ToolAsync("box", "read_file", """{"path": "/root/d/e/f.txt", "offset": 1, "limit": 1}""");
        Assert.Equal(("     2\ttwo\n[there is more; go on with offset 2]\n", true), (part.Content, part.Truncated));
        Assert.Equal("[the file has 3 lines]", (await client.ToolAsync("box", "read_file", """{"path": "d/e/f.txt", "offset": 3}""")).Content);

        // An edit is all or nothing, and keeps the mode.
        var edited = await client.ToolAsync("box", "edit_file", """{"path": "d/e/f.txt", "old": "two\n", "new": "2\n"}""");
        Assert.Equal((false, "replaced 1 occurrence in d/e/f.txt"), (edited.IsError, edited.Content));
        var twice = await client.ToolAsync("box", "edit_file", """{"path": "d/e/f.txt", "old": "e", "new": "E"}""");
        Assert.True(twice is { IsError: true } && twice.Content.Contains("3 times", StringComparison.Ordinal), twice.Content);
        Assert.Contains("is not in", (await client.ToolAsync("box", "edit_file", """{"path": "d/e/f.txt", "old": "four", "new": "4"}""")).Content, StringComparison.Ordinal);
        Assert.Equal("replaced 3 occurrences in d/e/f.txt", (await client.ToolAsync("box", "edit_file", """{"path": "d/e/f.txt", "old": "e", "new": "E", "all": true}""")).Content);
        Assert.Equal("onE\n2\nthrEE é\n640\n", (await client.BashAsync("box", "cat d/e/f.txt; stat -c %a d/e/f.txt")).Content);

        // What is not there, not text or not allowed is the tool's answer, in words.
        foreach (var (tool, arguments) in new[] { ("read_file", """{"path": "nowhere"}"""), ("edit_file", """{"path": "nowhere", "old": "a", "new": "b"}"""), ("read_file", """{"path": "/bin/busybox"}"""), ("read_file", """{"path": "/"}"""), ("grep", """{"pattern": "(", "path": "/root"}""") })
        {
            var reply = await client.ToolAsync("box", tool, arguments);
            Assert.True(reply.IsError && reply.Content.Length > 10, $"{tool} {arguments}: {reply.Content}");
        }

        await client.BashAsync("box", "mkdir -p s/a/b s/.git && echo 'int x = 1;' > s/p.c && echo 'int y = 2;' > s/a/q.c && echo 'int z;' > s/a/b/r.h && echo 'int g;' > s/.git/g.c && printf 'int\\0' > s/a/bin");
        Assert.Equal("/root/s/a/b/r.h:1:int z;\n/root/s/a/q.c:1:int y = 2;\n/root/s/p.c:1:int x = 1;\n", (await client.ToolAsync("box", "grep", """{"pattern": "^int \\w", "path": "s"}""")).Content);
        Assert.Equal("/root/s/a/q.c:1:int y = 2;\n", (await client.ToolAsync("box", "grep", """{"pattern": "int", "path": "s", "include": "a/*.c"}""")).Content);
        Assert.Equal("/root/s/p.c:1:int x = 1;\n", (await client.ToolAsync("box", "grep", """{"pattern": "= 1;", "literal": true, "path": "s", "include": "*.c"}""")).Content);
        var cut = await client.ToolAsync("box", "grep", """{"pattern": "int", "path": "s", "limit": 1}""");
        Assert.True(cut is { Truncated: true } && cut.Content.EndsWith("[there are more matches]\n", StringComparison.Ordinal));
        Assert.Equal("no matches\n", (await client.ToolAsync("box", "grep", """{"pattern": "nothing", "path": "s"}""")).Content);
        foreach (var (pattern, found) in new[] { ("*.c", "a/q.c p.c"), ("s/*.c", ""), ("a/*", "a/b/ a/bin a/q.c"), ("**/*.c", "a/q.c p.c"), ("a/**/r.h", "a/b/r.h"), ("**/b/*", "a/b/r.h") })
        {
            var paths = (await client.ToolAsync("box", "glob", $$"""{"pattern": "{{pattern}}", "path": "s"}""")).Content;
            Assert.Equal((pattern, found.Length == 0 ? "no matches\n" : string.Concat(found.Split(' ').Select(static f => $"/root/s/{f}\n"))), (pattern, paths));
        }

        await client.DestroyAsync(new DestroyParams { Ref = "box", Force = true, Now = true }, None);
    }

    [Theory]
    [InlineData("container")]
    [InlineData("gvisor")]
    public async Task Bash_tells_streams_codes_time_and_memory_and_ends_the_whole_tree(string runtime)
    {
        await client.CreateAsync(new CreateParams { Name = "box", Runtime = runtime, Workdir = "/tmp", MemoryBytes = 96 * 1024 * 1024 }, None);
        var ok = await client.BashAsync("box", "echo out; echo err >&2");
        Assert.Equal(("out\nerr\n", false, 0), (ok.Content, ok.IsError, ok.ExitCode));
        var failed = await client.BashAsync("box", "exit 7");
        Assert.Equal((true, 7), (failed.IsError, failed.ExitCode));
        Assert.Equal((true, 143), (await client.BashAsync("box", "kill -TERM $$")) is var killed ? (killed.IsError, killed.ExitCode) : default);

        // The old name of its argument; one place for relative paths, whichever tool; nothing of the host's environment.
        Assert.Equal("/tmp\n", (await client.ToolAsync("box", "bash", """{"cmd": "pwd"}""")).Content);
        await client.ToolAsync("box", "write_file", """{"path": "here", "content": "x"}""");
        Assert.Equal("/tmp\nhere\n", (await client.ToolAsync("box", "bash", """{"command": "pwd; ls", "cwd": "."}""")).Content);
        var nowhere = await client.ToolAsync("box", "bash", """{"command": "pwd", "cwd": "nowhere"}""");
        Assert.True(nowhere is { IsError: true, ExitCode: null } && nowhere.Content.Contains("/tmp/nowhere", StringComparison.Ordinal), nowhere.Content);
        Assert.DoesNotContain("VIVARIUM", (await client.BashAsync("box", "env")).Content, StringComparison.Ordinal);

        // Also what has left the session and the group.
        var slow = await client.ToolAsync("box", "bash", """{"command": "echo begun; setsid sleep 987 & sleep 987", "timeout_ms": 700}""");
        Assert.Equal((true, true, "begun\n"), (slow.TimedOut, slow.IsError, slow.Content));
        Assert.True(slow.DurationMs is >= 600 and < 20_000, $"{slow.DurationMs} ms");
        await Eventually.True(async () => !(await client.BashAsync("box", "ps")).Content.Contains("sleep 987", StringComparison.Ordinal));

        var hungry = await client.BashAsync("box", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done");
        Assert.True(hungry is { Oom: true, IsError: true }, $"{runtime}: code {hungry.ExitCode} {hungry.Content}");
    }

    [Fact]
    public async Task Long_output_and_long_lines_are_cut_and_said_so()
    {
        await client.CreateAsync(new CreateParams { Name = "box" }, None);
        var cut = await client.BashAsync("box", "echo begin; yes é | head -c 3000000; echo; echo end; yes 2>/dev/null | head -c 300 >&2");
        Assert.True(cut.Truncated);
        var mark = cut.Content.IndexOf("\n[… ", StringComparison.Ordinal);
        Assert.StartsWith("begin\né\n", cut.Content, StringComparison.Ordinal);
        Assert.Contains($" {3_000_011 - 64 * 1024} bytes cut …]\n", cut.Content[mark..], StringComparison.Ordinal);
        Assert.Contains("\nend\ny\n", cut.Content, StringComparison.Ordinal);
        Assert.DoesNotContain('\uFFFD', cut.Content);
        Assert.False((await client.BashAsync("box", "echo short")).Truncated);

        // Two of this daemon's limits: 50 lines, 100 characters.
        await client.BashAsync("box", "i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); done > many; head -c 500 /dev/zero | tr '\\0' x > long; printf 'a\\r\\nb' > dos");
        var many = await client.ToolAsync("box", "read_file", """{"path": "many"}""");
        Assert.Equal((true, 51), (many.Truncated, many.Content.Split('\n').Length - 1));
        Assert.EndsWith("    50\t49\n[there is more; go on with offset 50]\n", many.Content, StringComparison.Ordinal);
        Assert.False((await client.ToolAsync("box", "read_file", """{"path": "many", "limit": 60}""")).Truncated);
        var line = await client.ToolAsync("box", "read_file", """{"path": "long"}""");
        Assert.Equal(("     1\t" + new string('x', 100) + "…\n", true), (line.Content, line.Truncated));
        Assert.Equal("     1\ta\n     2\tb\n", (await client.ToolAsync("box", "read_file", """{"path": "dos"}""")).Content);
    }

    [Fact]
    public async Task What_does_not_fit_the_schema_is_refused_by_name()
    {
        await client.CreateAsync(new CreateParams { Name = "box" }, None);
        foreach (var (tool, arguments, named) in new[]
        {
            ("bash", "{}", "'command'"),
            ("bash", """{"command": 5}""", "'command' must be a string"),
            ("bash", """{"command": ""}""", "'command' must not be empty"),
            ("bash", """{"command": "a\u0000b"}""", "'command' must not contain a NUL"),
            ("bash", """{"command": "true", "cmd": "true"}""", "'command' is given twice"),
            ("bash", """{"command": "true", "comand": "true"}""", "no argument 'comand'"),
            ("bash", """{"command": "true", "timeout_ms": "1"}""", "'timeout_ms' must be an integer"),
            ("bash", """{"command": "true", "timeout_ms": 0}""", "'timeout_ms' must be at least 1"),
            ("bash", """{"command": "true", "timeout_ms": 300001}""", "more than the 300000 allowed"),
            ("bash", """["true"]""", "must be an object"),
            ("read_file", """{"path": "x", "offset": -1}""", "'offset' must be at least 0"),
            ("edit_file", """{"path": "x", "old": "a", "new": "b", "all": "yes"}""", "'all' must be true or false"),
            ("write_file", """{"path": "x", "content": "", "mode": "999"}""", "'mode' must match"),
            ("git_add", "{}", "'paths' is missing"),
            ("git_add", """{"paths": []}""", "'paths' must not be empty"),
            ("git_add", """{"paths": "x"}""", "'paths' must be an array"),
            ("git_add", """{"paths": ["x", 1]}""", "'paths' has an item that must be a string"),
            ("git_diff", """{"ref": "--output=/tmp/x"}""", "'ref' must not begin with '-'"),
            ("git_show", """{"ref": "-O/tmp/x"}""", "'ref' must not begin with '-'"),
            ("git_fetch", """{"remote": "--upload-pack=touch /tmp/x"}""", "'remote' must not begin with '-'"),
            ("git_clone", """{"url": "-u/x"}""", "'url' must not begin with '-'"),
            ("git_log", """{"n": 101}""", "'n' must be from 1 to 100"),
        })
        {
            var refused = await Assert.ThrowsAsync<VivariumException>(() => client.ToolAsync("box", tool, arguments));
            Assert.Equal((ErrorCode.InvalidArgument, "bad_arguments"), (refused.Code, refused.Reason));
            Assert.Contains(named, refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal("unknown_tool", (await Assert.ThrowsAsync<VivariumException>(() => client.ToolAsync("box", "bsh", "{}"))).Reason);
        Assert.Equal("bad_call_id", (await Assert.ThrowsAsync<VivariumException>(() => client.BashAsync("box", "true", ""))).Reason);
        Assert.Equal(ErrorCode.NotFound, (await Assert.ThrowsAsync<VivariumException>(() => client.BashAsync("nobody", "true"))).Code);
        Assert.Equal("true\n", (await client.ToolAsync("box", "bash", """{"command": "echo true", "timeout_ms": null}""")).Content);
    }

    [Fact]
    public async Task Schemas_are_served_and_are_what_is_checked()
    {
        var tools = (await client.ToolsAsync(None)).Tools;
        Assert.Equal(
            "bash read_file write_file edit_file grep glob git_status git_diff git_log git_show git_add git_commit git_push git_clone git_fetch git_pull".Split(' '),
            tools.Select(static t => t.Name));
        foreach (var tool in tools)
        {
            Assert.True(tool.Description.Length > 20, tool.Name);
            Assert.Equal("object", tool.Schema.GetProperty("type").GetString());
            Assert.False(tool.Schema.GetProperty("additionalProperties").GetBoolean());
            var properties = tool.Schema.GetProperty("properties").EnumerateObject().ToArray();
            Assert.All(properties, p => Assert.True(p.Value.GetProperty("description").GetString()!.Length > 5, $"{tool.Name}.{p.Name}"));
            Assert.All(tool.Schema.GetProperty("required").EnumerateArray(), r => Assert.Contains(properties, p => p.NameEquals(r.GetString())));
        }
    }

    [Theory]
    [InlineData("container")]
    [InlineData("gvisor")]
    public async Task Output_is_passed_on_while_it_comes(string runtime)
    {
        await client.CreateAsync(new CreateParams { Name = "box", Runtime = runtime }, None);
        var pieces = new List<ToolProgress>();
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        client.OnToolProgress = piece =>
        {
            lock (pieces)
            {
                pieces.Add(piece);
            }

            first.TrySetResult();
        };
        var call = client.CallToolAsync(ToolCallsHere.Call("box", "bash", """{"command": "printf 'a\\303'; printf '\\251'; echo b >&2; while [ ! -e go ]; do sleep 0.05; done; echo end"}""", "id") with { Stream = true }, None);
        await first.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.False(call.IsCompleted);
        await client.BashAsync("box", "touch go");
        var reply = await call;
        Assert.Equal("aéend\nb\n", reply.Content);
        lock (pieces)
        {
            Assert.Equal("aéend\n", string.Concat(pieces.Where(static p => !p.IsError).Select(static p => p.Content)));
            Assert.Equal("b\n", string.Concat(pieces.Where(static p => p.IsError).Select(static p => p.Content)));
            Assert.All(pieces, static p => Assert.Equal("id", p.CallId));
        }
    }

    [Fact]
    public async Task A_call_with_an_id_runs_once()
    {
        await client.CreateAsync(new CreateParams { Name = "box" }, None);
        const string Count = "echo x >> runs; sleep 0.3; wc -l < runs";
        var both = await Task.WhenAll(client.BashAsync("box", Count, "one"), Daemon.ToolAsync("box", "bash", $$"""{"command": {{JsonSerializer.Serialize(Count)}}}""", "one"));
        Assert.Equal(["1\n", "1\n"], both.Select(static r => r.Content));
        Assert.Single(both, static r => r.Repeated);
        Assert.Equal(("1\n", true), (await client.BashAsync("box", Count, "one")) is var again ? (again.Content, again.Repeated) : default);
        Assert.Equal("call_id_reused", (await Assert.ThrowsAsync<VivariumException>(() => client.BashAsync("box", "echo other", "one"))).Reason);
        Assert.Equal(("2\n", false), (await client.BashAsync("box", Count, "two")) is var other ? (other.Content, other.Repeated) : default);

        // The tool's own failure is an answer and is remembered; what could not be started is tried again.
        Assert.Equal((false, true), ((await client.BashAsync("box", "exit 3", "fails")).Repeated, (await client.BashAsync("box", "exit 3", "fails")) is { Repeated: true, ExitCode: 3 }));
        const string Elsewhere = """{"command": "pwd", "cwd": "/root/later"}""";
        Assert.True((await client.ToolAsync("box", "bash", Elsewhere, "start")).IsError);
        await client.BashAsync("box", "mkdir later");
        Assert.Equal(("/root/later\n", false), (await client.ToolAsync("box", "bash", Elsewhere, "start")) is var late ? (late.Content, late.Repeated) : default);

        // Whoever asked may leave: it goes on, and who comes back gets its answer.
        using var leaves = new CancellationTokenSource(TimeSpan.FromMilliseconds(150));
        await Assert.ThrowsAnyAsync<Exception>(() => client.CallToolAsync(ToolCallsHere.Call("box", "bash", """{"command": "sleep 0.8; echo x >> left; wc -l < left"}""", "leave"), leaves.Token));
        Assert.Equal("1\n", (await client.ToolAsync("box", "bash", """{"command": "sleep 0.8; echo x >> left; wc -l < left"}""", "leave")).Content);

        // Another sandbox knows nothing of it.
        await client.CreateAsync(new CreateParams { Name = "other" }, None);
        Assert.Equal(("1\n", false), (await client.BashAsync("other", Count, "one")) is var elsewhere ? (elsewhere.Content, elsewhere.Repeated) : default);
    }

    [Fact]
    public async Task Many_edits_at_once_are_all_there_in_the_end()
    {
        await client.CreateAsync(new CreateParams { Name = "box" }, None);
        await client.BashAsync("box", "i=0; while [ $i -lt 40 ]; do echo \"<$i>\"; i=$((i+1)); done > f");
        var replies = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => client.ToolAsync("box", "edit_file", string.Create(CultureInfo.InvariantCulture, $$"""{"path": "f", "old": "<{{i}}>", "new": "done"}"""))));
        Assert.All(replies, static r => Assert.False(r.IsError, r.Content));
        Assert.Equal("40\n", (await client.BashAsync("box", "grep -c done f")).Content);
    }
}

/// <summary>A daemon with low limits, so that they are met quickly.</summary>
public sealed class ToolDaemon : IAsyncLifetime
{
    internal TestDaemon Daemon { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Daemon = await TestDaemon.StartAsync(
        "VIVARIUM_TOOLS_MAX_OUTPUT=64KiB", "VIVARIUM_TOOLS_READ_LINES=50", "VIVARIUM_TOOLS_READ_CHARACTERS=100");

    public ValueTask DisposeAsync() => Daemon.DisposeAsync();
}
