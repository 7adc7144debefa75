namespace Vivarium.Cli.Tests;

/// <summary>What commands print for known answers; tables and JSON are golden.</summary>
public sealed class OutputTests
{
    [Theory]
    [InlineData("ls", "ls")]
    [InlineData("ls --json", "ls-json")]
    [InlineData("ls -q", "ls-quiet")]
    [InlineData("show quiet-fox", "show")]
    [InlineData("show --json quiet-fox", "show-json")]
    [InlineData("ps quiet-fox", "ps")]
    [InlineData("ps -a quiet-fox", "ps-all")]
    [InlineData("ps -a --json quiet-fox", "ps-json")]
    [InlineData("template ls", "template-ls")]
    [InlineData("template ls --json", "template-ls-json")]
    [InlineData("template show base", "template-show")]
    [InlineData("stats --json", "stats-json")]
    [InlineData("health", "health")]
    [InlineData("doctor", "doctor")]
    [InlineData("doctor --json", "doctor-json")]
    [InlineData("events", "events")]
    [InlineData("events --json", "events-json")]
    [InlineData("prune --dry-run", "prune")]
    [InlineData("version --json", "version-json")]
    [InlineData("config show --daemon --json", "config-json")]
    [InlineData("pause quiet-fox", "pause")]
    [InlineData("snapshots quiet-fox", "snapshots")]
    [InlineData("snapshots", "snapshots-all")]
    [InlineData("snapshots --show turn-0002 quiet-fox", "snapshots-show")]
    [InlineData("snapshots --json quiet-fox", "snapshots-json")]
    [InlineData("turn quiet-fox", "turn")]
    [InlineData("diff quiet-fox", "diff")]
    [InlineData("diff --json quiet-fox", "diff-json")]
    [InlineData("fork -n 2 quiet-fox", "fork")]
    [InlineData("tool ls", "tool-ls")]
    [InlineData("tool ls --json", "tool-ls-json")]
    [InlineData("tool call quiet-fox bash {\"command\":\"make\"}", "tool-call")]
    [InlineData("tool call --json quiet-fox bash", "tool-call-json")]
    public void Is_stable(string line, string golden)
    {
        using var daemon = Daemon();
        var run = CliRun.Of(daemon, line.Split(' '));
        var text = $"$ viv {line}\n{run.Output}{(run.Errors.Length > 0 ? $"--- standard error\n{run.Errors}" : "")}--- exit code {run.Code}\n";
        Golden.Check($"output/{golden}.txt", text.Replace(daemon.Directory, "DIR", StringComparison.Ordinal));
    }

    [Fact]
    public void Daemon_status_names_its_files()
    {
        using var daemon = Daemon();
        var run = CliRun.Of(daemon, ["daemon", "status"]);
        Golden.Check("output/daemon-status.txt", run.Output.Replace(daemon.Directory, "DIR", StringComparison.Ordinal));
        Assert.Equal(0, run.Code);

        var absent = CliRun.Of(null, ["daemon", "status", "--json"]);
        Assert.Equal(1, absent.Code);
        Assert.Contains("\"running\": false", absent.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void An_error_of_the_daemon_comes_through_with_code_hint_and_reason()
    {
        using var daemon = new FakeDaemon().Refuse("sandbox.get", """{"code":"not_found","message":"there is no sandbox 'x'","hint":"'viv ls' lists them","reason":"no_such_sandbox","operation_id":"op-1"}""");
        var run = CliRun.Of(daemon, ["show", "x"]);
        Assert.Equal((125, "", "error: there is no sandbox 'x' (not_found, no_such_sandbox)\nhint: 'viv ls' lists them\n"), (run.Code, run.Output, run.Errors));

        var json = CliRun.Of(daemon, ["show", "--json", "x"]);
        Golden.Check("remote-error.json", json.Output);
        Assert.Equal((125, ""), (json.Code, json.Errors));
    }

    [Fact]
    public void Several_references_are_all_tried()
    {
        using var daemon = new FakeDaemon().Answer("sandbox.destroy", parameters => parameters.GetProperty("ref").GetString() == "bad"
            ? """ "error":{"code":-32001,"message":"m","data":{"code":"not_found","message":"there is no sandbox 'bad'"}} """
            : "\"result\":{}");
        var run = CliRun.Of(daemon, ["rm", "-f", "a", "bad", "b"]);
        Assert.Equal((125, "a\nb\n", "error: there is no sandbox 'bad' (not_found)\n"), (run.Code, run.Output, run.Errors));
        Assert.Equal(3, daemon.Asked.Count);
        Assert.Contains("\"force\":true", daemon.Asked[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Names_from_a_sandbox_cannot_drive_the_terminal()
    {
        using var daemon = new FakeDaemon().Answer("process.list", """{"processes":[{"pid":1,"argv":["\u001b[2Jevil","\u0007\n"],"status":"running","started_unix_ms":0}]}""");
        var run = CliRun.Of(daemon, ["ps", "x"]);
        Assert.DoesNotContain('\u001b', run.Output);
        Assert.Contains("\\x1b[2Jevil", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_daemon_that_dies_in_the_middle_is_reported()
    {
        using var daemon = new FakeDaemon().Answer("sandbox.list", _ => throw new IOException());
        var run = CliRun.Of(daemon, ["ls"]);
        Assert.Equal(125, run.Code);
        Assert.Contains("(unavailable)", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Create_sends_what_was_asked_for()
    {
        using var daemon = Daemon();
        var run = CliRun.Of(daemon, ["create", "--name", "work", "--memory", "512MiB", "--cpus", "0.5", "--pids", "99", "-e", "A=1", "-e", "B=x=y", "--timeout", "1h", "--label", "team=a", "-v", "/tmp:/data:ro", "-u", "1000"]);
        Assert.Equal((0, "quiet-fox\n"), (run.Code, run.Output));
        Assert.Equal(
            """sandbox.begin_create {"name":"work","cpus":0.5,"memory_bytes":536870912,"pids":99,"env":{"A":"1","B":"x=y"},"shares":[{"host_path":"/tmp","guest_path":"/data","read_only":true}],"timeout_ms":3600000,"user":"1000","labels":{"team":"a"}}""",
            daemon.Asked[0]);
    }

    [Fact]
    public void A_tool_call_sends_its_arguments_and_refuses_what_is_no_object()
    {
        using var daemon = Daemon();
        CliRun.Of(daemon, ["tool", "call", "--call-id", "c1", "quiet-fox", "read_file", """{"path": "a b"}"""]);
        Assert.Equal("""tool.call {"ref":"quiet-fox","name":"read_file","arguments":{"path":"a b"},"call_id":"c1","stream":false}""", daemon.Asked[0]);
        foreach (var bad in new[] { "[1]", "{", "path" })
        {
            var run = CliRun.Of(daemon, ["tool", "call", "quiet-fox", "read_file", bad]);
            Assert.Equal((125, ""), (run.Code, run.Output));
            Assert.Contains("JSON", run.Errors, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Secrets_come_from_a_file_and_from_standard_input()
    {
        using var daemon = Daemon();
        using var directory = new TemporaryDirectory();
        CliRun.Of(daemon, ["create", "--secret", $"A=file:{directory.Write("s", "from file")}", "--secret", "B=-"], "from stdin\n");
        Assert.Contains("""[{"name":"A","value":"from file"},{"name":"B","value":"from stdin"}]""", daemon.Asked[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "run")]
    [InlineData("s", "show")]
    [InlineData("exec q", "quiet-fox")]
    [InlineData("template sh", "show")]
    [InlineData("run --templ", "--template")]
    [InlineData("run --runtime g", "gvisor")]
    [InlineData("run --template b", "base")]
    [InlineData("cp quiet", "quiet-fox:")]
    [InlineData("tool ca", "call")]
    [InlineData("tool call q", "quiet-fox")]
    [InlineData("tool call quiet-fox ba", "bash")]
    public void Completion_knows_what_may_come(string typed, string expected)
    {
        using var daemon = Daemon();
        var run = CliRun.Of(daemon, ["completion", "words", "--", .. typed.Split(' ')]);
        Assert.Contains(expected, run.Output.Split('\n'));
    }

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("fish")]
    public void Completion_scripts(string shell) => Golden.Check($"completion.{shell}", CliRun.Of(null, ["completion", shell]).Output);

    [Fact]
    public void Config_check_and_dump()
    {
        using var directory = new TemporaryDirectory();
        var good = directory.Write("good.toml", "[defaults]\nmemory = \"2GiB\"\n");
        var dump = CliRun.Of(null, ["config", "dump", "--config", good]);
        Golden.Check("output/config-dump.txt", dump.Output.Replace(directory.Path, "DIR", StringComparison.Ordinal));
        Assert.Equal((0, ""), (CliRun.Of(null, ["config", "check", directory.Write("dumped.toml", dump.Output)]).Code, dump.Errors));

        var bad = CliRun.Of(null, ["config", "check", directory.Write("bad.toml", "[limits]\nmax_pids = 1\nx = 2\n"), "--json"]);
        Golden.Check("output/config-check.json", bad.Output.Replace(directory.Path, "DIR", StringComparison.Ordinal));
        Assert.Equal(1, bad.Code);
    }

    private static FakeDaemon Daemon() => new FakeDaemon()
        .Answer("sandbox.list", Samples.List)
        .Answer("sandbox.get", Samples.OneLine(Samples.Fox))
        .Answer("sandbox.pause", Samples.OneLine(Samples.Fox))
        .Answer("sandbox.fork", Samples.List)
        .Answer("snapshot.list", Samples.Snapshots)
        .Answer("snapshot.get", Samples.Snapshot("b", "a", "turn-0002", "\"turn\":2,\"label\":\"fix it\",\"paused_us\":6200,\"bytes_unique\":40960,\"changes\":{\"added\":1,\"changed\":2,\"removed\":0,\"first\":[\"+/root/a\",\"~/root/b\",\"~/root/c\"]}"))
        .Answer("turn.complete", Samples.Snapshot("b", "a", "turn-0002", "\"turn\":2,\"changes\":{\"added\":1,\"changed\":2,\"removed\":0}"))
        .Answer("sandbox.diff", """{"from":"turn-0001","to":"now","summary":{"added":1,"changed":1,"removed":1},"entries":[{"change":"changed","path":"/root/a","type":"file","size_before":1000,"size_after":2048},{"change":"added","path":"/root/d","type":"directory","size_after":0},{"change":"removed","path":"/root/x\\x1b","type":"file","size_before":7}]}""")
        .Answer("sandbox.begin_create", """{"operation_id":"op-0123456789abcdef"}""")
        .Answer("operation.wait", """{"operation_id":"op-0123456789abcdef","kind":"sandbox.create","status":"succeeded","sandbox_id":"k3j5x8q2m4n7p9r1t6v0","started_unix_ms":1}""")
        .Answer("sandbox.stats", """{"cpu_us":1000000,"memory_bytes":52428800,"memory_limit_bytes":1073741824,"pids":7,"pids_limit":1024,"oom_kills":0,"guest":{"uptime_ms":1,"processes":2,"disk_used_bytes":1000}}""")
        .Answer("sandbox.prune", Samples.OneLine($$"""{"removed":[{{Samples.Owl}}]}"""))
        .Answer("tool.list", """{"tools":[{"name":"bash","description":"Runs a command line.","schema":{"type":"object","properties":{"command":{"type":"string"},"cwd":{"type":"string"}},"required":["command"],"additionalProperties":false}},{"name":"git_status","description":"Shows what has changed.","schema":{"type":"object","properties":{"cwd":{"type":"string"}},"required":[],"additionalProperties":false}}]}""")
        .Answer("tool.call", """{"content":"cc a.c\nmake: *** [all] Error 2","is_error":true,"exit_code":2,"timed_out":true,"oom":false,"truncated":false,"duration_ms":812,"snapshot_error":"the pool is full"}""")
        .Answer("process.list", Samples.Processes.Trim())
        .Answer("template.list", Samples.Templates.Trim())
        .Answer("template.get", """{"name":"base","digest":"sha256:01","size_bytes":314572800,"entries":20123,"created_unix_ms":1767236645000,"references":2,"user":"root","env":{"LANG":"C.UTF-8"},"status":"ready"}""")
        .Answer("system.version", """{"version":"0.1.0","api":1,"pid":4242}""")
        .Answer("system.info", """{"version":"0.1.0","state_directory":"/var/lib/vivarium","runtime_directory":"/run/vivarium","volume_store":"btrfs","pool_total_bytes":68719476736,"pool_free_bytes":60129542144,"sandboxes":3,"running":2,"uptime_ms":90000,"engines":[{"engine":"runc","runtime":"container","version":"1.1.5","works":true,"default":true},{"engine":"crun","runtime":"container","version":"1.8.1","works":false,"detail":"refuses hybrid cgroups"}]}""")
        .Answer("system.health", """{"status":"degraded","conditions":[{"name":"pool_space","severity":"degraded","message":"the pool is 86 % full; remove templates or sandboxes","since_unix_ms":1767322000000}]}""")
        .Answer("system.doctor", """{"checks":[{"name":"runc","status":"pass","message":"runc 1.1.5 works"},{"name":"kvm","status":"warn","message":"no /dev/kvm","hint":"virtual machines will be slow"},{"name":"pool","status":"fail","message":"no btrfs","hint":"apt install btrfs-progs"}]}""")
        .Answer("system.config", """{"files":["/etc/vivarium/config.toml"],"entries":[{"key":"defaults.memory","value":"\"1GiB\"","source":"default"}]}""")
        .Notify("events.subscribe", """{"jsonrpc":"2.0","method":"event","params":{"sequence":7,"unix_ms":1767322000000,"type":"sandbox.failed","sandbox_id":"a0b1c2d3e4f5g6h7i8j9","sandbox_name":"old-owl","reason":"oom","message":"out of memory"}}""")
        .Answer("events.subscribe", "{}");
}
