using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Terminal;

/// <summary><c>viv run -it -- bash</c> is a real terminal.</summary>
[Collection(BaseCollection.Name)]
public sealed class TerminalTests(PrivateBaseDaemon daemon) : VivTest(daemon)
{
    private const string Prompt = "READY> ";

    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_shell_has_a_terminal_of_the_right_size_and_kind(string runtime)
    {
        await using var terminal = await ShellAsync(runtime, 97, 31);
        await terminal.TypeAsync("stty size; tty; echo $TERM; test -t 0 -a -t 1 -a -t 2 && echo all-three\r");
        await terminal.ExpectAsync("31 97.*/dev/pts/\\d+.*xterm-256color.*all-three");
        await ExitAsync(terminal, 5);
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_resize_reaches_the_program(string runtime)
    {
        await using var terminal = await ShellAsync(runtime, 80, 24);
        await terminal.TypeAsync("trap 'echo resized to $(stty size)' WINCH; echo trap-$((1+1))\r");
        await terminal.ExpectAsync("trap-2");
        terminal.Resize(133, 47);
        await terminal.TypeAsync("\r");
        await terminal.ExpectAsync("resized to 47 133");
        await ExitAsync(terminal, 0);
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task Ctrl_C_interrupts_the_command_and_not_the_session(string runtime)
    {
        await using var terminal = await ShellAsync(runtime, 80, 24);
        // The command says that it runs: an echo of what was typed comes before the shell has started anything.
        await terminal.TypeAsync("sh -c 'echo started-$((1+1)); exec sleep 1000'; echo code $?\r");
        await terminal.ExpectAsync("started-2");
        await terminal.TypeAsync("\u0003");
        await terminal.ExpectAsync(Prompt);
        await terminal.TypeAsync("echo still-$((1+1))-here\r");
        await terminal.ExpectAsync("still-2-here");
        await ExitAsync(terminal, 3);
    }

    [Fact]
    public async Task Job_control_stops_and_goes_on()
    {
        await using var terminal = await ShellAsync("container", 80, 24);
        await terminal.TypeAsync("sh -c 'echo started-$((1+1)); exec sleep 1000'\r");
        await terminal.ExpectAsync("started-2");
        await terminal.TypeAsync("\u001a");
        await terminal.ExpectAsync("Stopped");
        await terminal.TypeAsync("jobs; bg; fg\r");
        await terminal.ExpectAsync("Stopped.*sleep 1000.*sleep 1000' &.*sleep 1000");
        await terminal.TypeAsync("\u0003");
        await terminal.ExpectAsync(Prompt);
        await ExitAsync(terminal, 0);
    }

    [Fact]
    public async Task Job_control_by_signals_works_in_gvisor()
    {
        // Its terminal does not turn Ctrl-Z into a signal; stopping, foreground and background do work.
        await using var terminal = await ShellAsync("gvisor", 80, 24);
        await terminal.TypeAsync("sleep 1000 & sleep 0.2; kill -STOP %1; sleep 0.3; jobs\r");
        await terminal.ExpectAsync("Stopped +sleep 1000");
        await terminal.TypeAsync("fg\r");
        await terminal.ExpectAsync("fg.*sleep 1000");
        await terminal.TypeAsync("\u0003");
        await terminal.ExpectAsync(Prompt);
        await ExitAsync(terminal, 0);
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_full_screen_program_draws_and_leaves_the_screen_as_it_was(string runtime)
    {
        await using var terminal = await ShellAsync(runtime, 80, 24);
        // curses from the standard library: the alternate screen, cursor movement, keys without echo, and the size.
        await terminal.TypeAsync("python3 -c 'import curses; curses.wrapper(lambda s: (s.addstr(3, 5, \"size %dx%d\" % s.getmaxyx()), s.refresh(), s.getkey()))'; echo back\r");
        await terminal.ExpectAsync("\u001b\\[\\?1049h");
        await terminal.ExpectAsync("size 24x80");
        await terminal.TypeAsync("q");
        await terminal.ExpectAsync("\u001b\\[\\?1049l");
        await terminal.ExpectAsync("back");
        await ExitAsync(terminal, 0);
    }

    [Fact]
    public async Task Vi_edits_a_file()
    {
        await using var box = await Daemon.CreateAsync("--template", "tiny");
        await using var terminal = TerminalSession.Start(Viv, 80, 24, "exec", "-it", box.Id, "--", "vi", "/root/poem");
        await terminal.ExpectAsync("/root/poem");
        await terminal.TypeAsync("iroses are red");
        await terminal.ExpectAsync("red");
        // A person pauses here; keys that follow Escape at once would be one function key.
        await terminal.TypeAsync("\u001b");
        await terminal.ExpectAsync("- /root/poem");
        await terminal.TypeAsync(":wq\r");
        Assert.Equal(0, await terminal.EndAsync());
        Assert.Equal("roses are red\n", (await box.ShAsync("cat /root/poem")).Stdout);
    }

    [Fact]
    public async Task Top_redraws_and_more_pages()
    {
        await using var terminal = await ShellAsync("container", 100, 30);
        await terminal.TypeAsync("top -d 0.3\r");
        await terminal.ExpectAsync("PID USER");
        await terminal.ExpectAsync("PID USER|\u001b\\[H");
        await terminal.TypeAsync("q");
        await terminal.ExpectAsync(Prompt);
        await terminal.TypeAsync("seq 1 500 | more\r");
        await terminal.ExpectAsync("--More--");
        await terminal.TypeAsync(" ");
        await terminal.ExpectAsync("--More--");
        await terminal.TypeAsync("q");
        await terminal.ExpectAsync(Prompt);
        await ExitAsync(terminal, 0);
    }

    [Fact]
    public async Task A_terminal_that_is_closed_ends_the_command_and_removes_the_sandbox()
    {
        await using (var terminal = await ShellAsync("container", 80, 24))
        {
            await terminal.TypeAsync("sleep 1000\r");
            await terminal.ExpectAsync("sleep 1000");
        }

        await Eventually.HoldsAsync(async () => (await Daemon.ListAsync()).Count == 0, TimeSpan.FromSeconds(20), "the sandbox is gone");
    }

    [Fact]
    public async Task A_login_shell_is_what_run_gives_without_a_command()
    {
        await using var terminal = TerminalSession.Start(Viv, 80, 24, "run", "-it");
        await terminal.ExpectAsync("[#$] ");
        await terminal.TypeAsync("shopt -q login_shell && echo login-$((2*21)); exit 6\r");
        await terminal.ExpectAsync("login-42");
        Assert.Equal(6, await terminal.EndAsync());
    }

    [Fact]
    public async Task Asking_for_a_terminal_without_having_one_is_refused()
    {
        (await Viv.TryAsync("run", "-it", "--", "bash")).MustRefuse("terminal");
        Assert.Empty(await Daemon.ListAsync());
    }

    private async Task<TerminalSession> ShellAsync(string runtime, int columns, int rows)
    {
        var terminal = TerminalSession.Start(Viv, columns, rows, "run", "-it", "--runtime", runtime, "-e", $"PS1={Prompt}", "--", "bash", "--norc", "--noprofile");
        await terminal.ExpectAsync(Prompt);
        return terminal;
    }

    private static async Task ExitAsync(TerminalSession terminal, int code)
    {
        await terminal.TypeAsync($"exit {code}\r");
        Assert.Equal(code, await terminal.EndAsync());
    }
}
