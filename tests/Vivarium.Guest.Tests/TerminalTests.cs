using Vivarium.Guest.Tests.Harness;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests;

/// <summary>Terminals: a real one, with size, job control, Ctrl-C and hang-up.</summary>
public abstract class TerminalTests(string engine) : IAsyncLifetime
{
    private SandboxFixture _sandbox = null!;

    private GuestInstance Guest => _sandbox.Guest;

    public async ValueTask InitializeAsync() => _sandbox = await SandboxFixture.StartAsync(engine);

    public ValueTask DisposeAsync() => _sandbox.DisposeAsync();

    [Fact]
    public async Task It_is_a_terminal_of_the_size_asked_for()
    {
        await using var exec = await OpenAsync("stty size; test -t 0 && test -t 1 && test -t 2 && echo yes; echo $TERM");
        await exec.FinishAsync();
        Assert.Contains("24 80", exec.Terminal, StringComparison.Ordinal);
        Assert.Contains("yes", exec.Terminal, StringComparison.Ordinal);
        Assert.Contains("xterm-256color", exec.Terminal, StringComparison.Ordinal);
        Assert.Equal(0, exec.Exit!.Code);
    }

    [Fact]
    public async Task Resizing_tells_the_program()
    {
        await using var exec = await OpenAsync("trap 'echo changed; stty size; exit' WINCH; echo ready; while :; do sleep 0.1; done");
        await exec.UntilAsync("ready");
        await exec.SendControlAsync(new ExecControl { Type = "resize", Cols = 132, Rows = 50 });
        await exec.FinishAsync();
        Assert.Contains("50 132", exec.Terminal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ctrl_C_interrupts_the_foreground_program()
    {
        await using var exec = await OpenAsync("trap '' USR1; sh -c 'echo ready; sleep 30'; echo after $?");
        await exec.UntilAsync("ready");
        await exec.SendInputAsync("\u0003");
        await exec.FinishAsync();
        Assert.True(exec.Exit!.Signal == Signals.SIGINT || exec.Exit.Code == 130 || exec.Terminal.Contains("after 130", StringComparison.Ordinal), exec.Terminal);
        Assert.True(exec.Exit.DurationMs < 20_000);
    }

    [Fact]
    public async Task Ctrl_D_ends_a_shell()
    {
        await using var exec = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["sh"], Tty = new TtySize { Cols = 80, Rows = 24 }, Stdin = true });
        await exec.SendInputAsync("echo a$((1+1))b\n");
        await exec.UntilAsync("a2b");
        await exec.SendInputAsync("");
        await exec.FinishAsync();
        Assert.Equal(0, exec.Exit!.Code);
    }

    [Fact]
    public async Task A_shell_has_job_control()
    {
        Assert.SkipWhen(engine == "direct", "uses the tiny root's shell");
        await using var exec = await ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["sh", "-i"], Tty = new TtySize { Cols = 80, Rows = 24 }, Stdin = true });
        await exec.SendInputAsync("sh -c 'echo up$((1)); exec sleep 30'\n");
        await exec.UntilAsync("up1");
        await exec.SendInputAsync("\u001a");
        await exec.UntilAsync("Stopped");
        await exec.SendInputAsync("kill %1; exit 4\n");
        await exec.SendInputAsync("exit 4\n");
        await exec.FinishAsync();
        Assert.Equal(4, exec.Exit!.Code);
    }

    [Fact]
    public async Task The_end_of_the_session_hangs_up_what_is_left_on_the_terminal()
    {
        await using var exec = await OpenAsync("trap '' HUP; (sleep 60; echo late) & exit 0");
        await exec.FinishAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(0, exec.Exit!.Code);
        Assert.DoesNotContain("late", exec.Terminal, StringComparison.Ordinal);
        await Guest.AskAsync(ControlLine.Of(ControlType.KillProcess, new KillProcessPayload { Pid = exec.Pid, Signal = 9 }, GuestJson.Default.KillProcessPayload));
    }

    [Fact]
    public async Task Much_output_arrives_whole()
    {
        await using var exec = await OpenAsync("i=0; while [ $i -lt 3000 ]; do echo line-$i-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; i=$((i+1)); done");
        await exec.FinishAsync();
        Assert.Contains("line-0-", exec.Terminal, StringComparison.Ordinal);
        Assert.Contains("line-2999-", exec.Terminal, StringComparison.Ordinal);
        Assert.Equal(3000, exec.Terminal.Split('\n').Length - 1);
    }

    private Task<ExecConnection> OpenAsync(string script) =>
        ExecConnection.OpenAsync(Guest, new ExecRequest { Argv = ["sh", "-c", script], Tty = new TtySize { Cols = 80, Rows = 24 }, Stdin = true });
}

/// <summary>As a plain child of the tests.</summary>
public sealed class DirectTerminalTests() : TerminalTests("direct");

/// <summary>As the init of a container.</summary>
public sealed class RuncTerminalTests() : TerminalTests("runc");

/// <summary>As the init under gVisor.</summary>
public sealed class RunscTerminalTests() : TerminalTests("runsc");
