using Vivarium.Guest.Tests.Harness;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests;

/// <summary>What running a command means: exit codes, signals, errors, environment, input and output. The same on every engine.</summary>
public abstract class ExecTests(string engine) : IAsyncLifetime
{
    private SandboxFixture _sandbox = null!;

    private GuestInstance Guest => _sandbox.Guest;

    public async ValueTask InitializeAsync() => _sandbox = await SandboxFixture.StartAsync(engine, new ConfigurePayload
    {
        Env = new Dictionary<string, string> { ["FROM_SANDBOX"] = "sandbox", ["BOTH"] = "sandbox" },
    });

    public ValueTask DisposeAsync() => _sandbox.DisposeAsync();

    [Fact]
    public async Task A_command_prints_and_exits_with_its_code()
    {
        var exec = await ExecConnection.ShellAsync(Guest, "echo out; echo err >&2; exit 7");
        Assert.Equal("out\n", exec.Stdout);
        Assert.Equal("err\n", exec.Stderr);
        Assert.Equal(7, exec.Exit!.Code);
        Assert.Null(exec.Exit.Signal);
        Assert.NotNull(exec.Exit.DurationMs);
        Assert.True(exec.Exit.Rusage!.MaxRssBytes >= 0);
    }

    [Fact]
    public async Task A_signal_is_reported_as_a_signal()
    {
        var exec = await ExecConnection.ShellAsync(Guest, "kill -TERM $$");
        Assert.Null(exec.Exit!.Code);
        Assert.Equal(Signals.SIGTERM, exec.Exit.Signal);
        Assert.Null(exec.Exit.Oom);
    }

    [Fact]
    public async Task What_cannot_be_run_says_why()
    {
        Assert.Equal("command_not_found", await RefusalAsync(new ExecRequest { Argv = ["no-such-command-anywhere"] }));
        Assert.Equal("command_not_found", await RefusalAsync(new ExecRequest { Argv = ["/no/such/file"] }));
        Assert.Equal("command_not_found", await RefusalAsync(new ExecRequest { Argv = [""] }));
        Assert.Equal("command_not_found", await RefusalAsync(new ExecRequest { Argv = ["sh"], Env = Env("PATH", "/proc") }));
        Assert.Equal("not_executable", await RefusalAsync(new ExecRequest { Argv = ["/etc/passwd"] }));
        Assert.Equal("not_executable", await RefusalAsync(new ExecRequest { Argv = ["/tmp"] }));
        Assert.Equal("no_such_user", await RefusalAsync(new ExecRequest { Argv = ["true"], User = "nobody-at-all" }));
        Assert.Equal("no_such_user", await RefusalAsync(new ExecRequest { Argv = ["true"], User = "root:no-such-group" }));
        Assert.Equal("no_such_directory", await RefusalAsync(new ExecRequest { Argv = ["true"], Cwd = "/no/such/dir" }));
        Assert.Equal("no_such_directory", await RefusalAsync(new ExecRequest { Argv = ["true"], Cwd = "/etc/passwd" }));
        Assert.Equal("no_such_process", await RefusalAsync(new ExecRequest { Attach = new ExecAttach { Pid = 1234567 } }));
        Assert.Equal("no_such_process", await RefusalAsync(new ExecRequest { Attach = new ExecAttach { Tag = "unknown" } }));
    }

    [Theory]
    [InlineData("relative/dir", null, null, null)]
    [InlineData(null, "BAD=NAME", null, null)]
    [InlineData(null, null, -5L, null)]
    [InlineData(null, null, null, 0)]
    public async Task Wrong_requests_are_refused(string? cwd, string? variable, long? timeout, int? cols)
    {
        await using var exec = await ExecConnection.OpenAsync(Guest, new ExecRequest
        {
            Argv = ["true"],
            Cwd = cwd,
            Env = variable is null ? null : Env(variable, "x"),
            TimeoutMs = timeout,
            Tty = cols is { } c ? new TtySize { Cols = c, Rows = 24 } : null,
        });
        Assert.Equal("invalid_argument", exec.Reply.Error?.Code);
    }

    [Fact]
    public async Task A_script_whose_interpreter_is_missing_is_not_executable()
    {
        var name = $"/tmp/viv-{Guid.NewGuid():N}";
        await ExecConnection.ShellAsync(Guest, $"printf '#!/no/such/interpreter\\n' > {name}; chmod +x {name}");
        Assert.Equal("not_executable", await RefusalAsync(new ExecRequest { Argv = [name] }));
        await ExecConnection.ShellAsync(Guest, $"rm {name}");
    }

    [Fact]
    public async Task A_script_without_a_first_line_is_run_by_the_shell()
    {
        var name = $"/tmp/viv-{Guid.NewGuid():N}";
        await ExecConnection.ShellAsync(Guest, $"echo 'echo ran $1' > {name}; chmod +x {name}");
        var exec = await ExecConnection.RunAsync(Guest, new ExecRequest { Argv = [name, "with"] });
        Assert.Equal("ran with\n", exec.Stdout);
        await ExecConnection.ShellAsync(Guest, $"rm {name}");
    }

    [Fact]
    public async Task Input_reaches_the_command_and_ends_with_an_empty_frame()
    {
        await using var exec = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["cat"], Stdin = true });
        await exec.SendInputAsync("hello");
        await exec.SendInputAsync("");
        await exec.FinishAsync();
        Assert.Equal("hello", exec.Stdout);
        Assert.Equal(0, exec.Exit!.Code);
    }

    [Fact]
    public async Task Without_input_the_command_reads_nothing()
    {
        var exec = await ExecConnection.RunAsync(Guest, new ExecRequest { Argv = ["cat"] });
        Assert.Equal("", exec.Stdout);
        Assert.Equal(0, exec.Exit!.Code);
    }

    [Fact]
    public async Task The_environment_is_what_a_person_expects()
    {
        var exec = await ExecConnection.RunAsync(Guest, new ExecRequest { Argv = ["env"], Env = Env("BOTH", "request") });
        var lines = exec.Stdout.Split('\n');
        Assert.Contains("HOME=/root", lines);
        Assert.Contains("USER=root", lines);
        Assert.Contains("LOGNAME=root", lines);
        Assert.Contains(lines, static line => line.StartsWith("SHELL=/", StringComparison.Ordinal));
        Assert.Contains("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", lines);
        Assert.Contains("FROM_SANDBOX=sandbox", lines);
        Assert.Contains("BOTH=request", lines);
        Assert.DoesNotContain(lines, static line => line.StartsWith("VIV_TOKEN", StringComparison.Ordinal) || line.StartsWith("TERM=", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_token_is_nowhere_in_the_environment_of_the_agent()
    {
        var exec = await ExecConnection.ShellAsync(Guest, "tr '\\0' '\\n' < /proc/$PPID/environ");
        Assert.DoesNotContain(Guest.Token, exec.Stdout, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_starts_in_the_home_directory_or_where_it_is_told()
    {
        Assert.Equal("/root\n", (await ExecConnection.RunAsync(Guest, new ExecRequest { Argv = ["pwd"] })).Stdout);
        Assert.Equal("/tmp\n", (await ExecConnection.RunAsync(Guest, new ExecRequest { Argv = ["pwd"], Cwd = "/tmp" })).Stdout);
    }

    [Fact]
    public async Task No_arguments_mean_the_login_shell()
    {
        await using var exec = await ExecConnection.OpenAsync(Guest, new ExecRequest { Stdin = true });
        await exec.SendInputAsync("echo $0\n");
        await exec.SendInputAsync("");
        await exec.FinishAsync();
        Assert.StartsWith("-", exec.Stdout, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Users_are_names_numbers_and_groups()
    {
        Assert.SkipUnless(_sandbox.IsIsolated, "needs a root of its own");
        Assert.Equal("1000 1000 1000 50\n", await IdAsync("user"));
        Assert.Equal("1000 1000 1000 50\n", await IdAsync("1000"));
        Assert.Equal("1000 50 50\n", await IdAsync("user:staff"));
        Assert.Equal("4242 7 7\n", await IdAsync("4242:7"));
        var home = await ExecConnection.RunAsync(Guest, new ExecRequest { Argv = ["sh", "-c", "echo $HOME $USER; pwd"], User = "user" });
        Assert.Equal("/home/user user\n/home/user\n", home.Stdout);
    }

    [Fact]
    public async Task A_background_child_holding_the_pipe_does_not_delay_the_exit()
    {
        var exec = await ExecConnection.ShellAsync(Guest, "sleep 20 & echo started");
        Assert.Equal("started\n", exec.Stdout);
        Assert.Equal(0, exec.Exit!.Code);
        Assert.True(exec.Exit.DurationMs < 2000, $"{exec.Exit.DurationMs} ms");
    }

    [Fact]
    public async Task A_background_child_that_never_stops_writing_does_not_delay_the_exit()
    {
        await using var exec = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["sh", "-c", "yes & exit 3"], Tag = "chatty" });
        await exec.FinishAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(3, exec.Exit!.Code);
        await Guest.AskAsync(ControlLine.Of(ControlType.KillProcess, new KillProcessPayload { Tag = "chatty", Signal = 9 }, GuestJson.Default.KillProcessPayload));
    }

    [Fact]
    public async Task Much_output_arrives_whole()
    {
        await using var exec = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["sh", "-c", "dd if=/dev/zero bs=65536 count=512 2>/dev/null; echo end >&2"] });
        await exec.FinishAsync();
        Assert.Equal(32 * 1024 * 1024, exec.Stdout.Length);
        Assert.Equal("end\n", exec.Stderr);
    }

    [Fact]
    public async Task Limits_hold()
    {
        var exec = await ExecConnection.RunAsync(Guest, new ExecRequest { Argv = ["sh", "-c", "ulimit -n"], Limits = new ExecLimits { Files = 77 } });
        Assert.Equal("77\n", exec.Stdout);
    }

    [Fact]
    public async Task A_tag_is_given_once()
    {
        await using var first = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["sleep", "20"], Tag = "same", KillOnDisconnect = true });
        await using var second = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["true"], Tag = "same" });
        Assert.Equal("already_exists", second.Reply.Error?.Code);
    }

    [Fact]
    public async Task Signals_reach_the_process_group()
    {
        await using var exec = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["sh", "-c", "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 1; done"] });
        await exec.UntilAsync("ready");
        await exec.SendControlAsync(new ExecControl { Type = "signal", Signal = Signals.SIGINT });
        await exec.FinishAsync();
        Assert.Contains("caught", exec.Stdout, StringComparison.Ordinal);
        Assert.Equal(5, exec.Exit!.Code);
    }

    [Fact]
    public async Task A_ping_is_answered()
    {
        await using var exec = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["cat"], Stdin = true });
        await exec.SendControlAsync(new ExecControl { Type = "ping" });
        await exec.SendControlAsync(new ExecControl { Type = "close_stdin" });
        await exec.FinishAsync();
        Assert.Equal(1, exec.Pings);
    }

    private static Dictionary<string, string> Env(string name, string value) => new() { [name] = value };

    private async Task<string?> RefusalAsync(ExecRequest request)
    {
        await using var exec = await ExecConnection.OpenAsync(Guest, request);
        Assert.NotNull(exec.Reply.Error);
        return exec.Reply.Error.Reason;
    }

    private async Task<string> IdAsync(string user)
    {
        var exec = await ExecConnection.RunAsync(Guest, new ExecRequest { Argv = ["sh", "-c", "echo $(id -u) $(id -g) $(id -G)"], User = user });
        return exec.Stdout;
    }
}

/// <summary>As a plain child of the tests.</summary>
public sealed class DirectExecTests() : ExecTests("direct");

/// <summary>As the init of a container.</summary>
public sealed class RuncExecTests() : ExecTests("runc");

/// <summary>As the init under gVisor.</summary>
public sealed class RunscExecTests() : ExecTests("runsc");
