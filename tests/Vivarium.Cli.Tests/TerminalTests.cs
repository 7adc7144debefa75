using System.Text;
using Microsoft.Win32.SafeHandles;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Terminal;
using Vivarium.Linux.Processes;
using Vivarium.Linux.Terminals;
using Vivarium.TestKit;

namespace Vivarium.Cli.Tests;

/// <summary>A terminal joined to a process: raw while it lasts, itself again afterwards, sizes and keys passed on.</summary>
public sealed class TerminalTests
{
    [Fact]
    public async Task Keys_go_through_raw_and_the_terminal_is_itself_again()
    {
        using var screen = new Screen(100, 30);
        string? request = null;
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                request = stream.ReadLine();
                stream.Write("{\"pid\":5}\n");
                stream.Frame(3, "prompt> ");
                while (stream.ReadFrame() is { } frame)
                {
                    if (frame.Text.Contains('\u0003', StringComparison.Ordinal))
                    {
                        break; // Ctrl-C arrives as a key, not as a signal to viv
                    }

                    stream.Frame(3, $"[{frame.Text}]");
                }

                stream.Frame(4, """{"type":"exit","code":3}""");
            },
        };
        var before = screen.Modes();
        var run = screen.Start(daemon, "exec", "-it", "quiet-fox", "--", "bash");
        await screen.Shows("prompt> ");
        Assert.NotEqual(before, screen.Modes());
        screen.Type("x");
        await screen.Shows("[x]");
        screen.Type("\u0003");
        Assert.Equal(3, await run.WaitAsync(Eventually.Patience));
        Assert.Equal(before, screen.Modes());
        Assert.Contains("\"tty\":{\"cols\":100,\"rows\":30", request, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_new_size_is_passed_on()
    {
        using var screen = new Screen(80, 24);
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                stream.ReadLine();
                stream.Write("{\"pid\":5}\n");
                stream.Frame(3, "ready");
                stream.Frame(3, stream.ReadFrame()!.Value.Text);
                stream.Frame(4, """{"type":"exit","code":0}""");
            },
        };
        var run = screen.Start(daemon, "exec", "-it", "quiet-fox", "--", "bash");
        await screen.Shows("ready");
        screen.Resize(133, 47);
        Assert.Equal(0, await run.WaitAsync(Eventually.Patience));
        await screen.Shows("""{"type":"resize","cols":133,"rows":47}""");
    }

    [Fact]
    public async Task Detach_keys_leave_the_process_running()
    {
        using var screen = new Screen(80, 24);
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                stream.ReadLine();
                stream.Write("{\"pid\":9}\n");
                stream.Frame(3, "here");
                stream.ReadLine();
            },
        }.Answer("process.list", """{"processes":[{"pid":9,"argv":["bash"],"tty":true,"status":"running","started_unix_ms":0}]}""");
        var before = screen.Modes();
        var run = screen.Start(daemon, "attach", "quiet-fox", "9");
        await screen.Shows("here");
        screen.Type("\u0010\u0011");
        Assert.Equal(0, await run.WaitAsync(Eventually.Patience));
        await screen.Shows("left process 9 running");
        Assert.Equal(before, screen.Modes());
    }

    [Fact]
    public async Task The_terminal_is_itself_again_when_the_sandbox_dies()
    {
        using var screen = new Screen(80, 24);
        using var daemon = new FakeDaemon
        {
            Stream = stream =>
            {
                stream.ReadLine();
                stream.Write("{\"pid\":5}\n");
                stream.Frame(3, "about to die");
            },
        };
        var before = screen.Modes();
        Assert.Equal(125, await screen.Start(daemon, "shell", "quiet-fox").WaitAsync(Eventually.Patience));
        Assert.Equal(before, screen.Modes());
        await screen.Shows("stream_ended");
    }

    [Fact]
    public async Task Tables_fit_the_terminal_and_are_coloured()
    {
        using var screen = new Screen(80, 24);
        using var daemon = new FakeDaemon().Answer("sandbox.list", Samples.List);
        Assert.Equal(0, await screen.Start(daemon, "ls").WaitAsync(Eventually.Patience));
        await screen.Shows("quiet-fox");
        await screen.Shows("60m");
        Assert.Contains("\u001b[32mrunning\u001b[0m", screen.Text, StringComparison.Ordinal);
        Assert.All(Plain(screen.Text).Split("\r\n"), line => Assert.True(line.Length <= 80, line));
    }

    [Fact]
    public async Task Top_follows_keys_and_a_new_size_and_leaves_the_terminal_as_it_was()
    {
        using var screen = new Screen(90, 3);
        using var daemon = TopTests.Daemon();
        var before = screen.Modes();
        var run = screen.Start(daemon, "top", "--interval", "1h");
        await screen.Shows("by cpu");
        Assert.Contains("\u001b[?1049h", screen.Text, StringComparison.Ordinal);
        Assert.NotEqual(before, screen.Modes());
        screen.Type("m");
        await screen.Shows("by memory");

        // Three lines are the heading, the header and one row; a larger screen has room for more.
        Assert.DoesNotContain("old-owl", screen.Text, StringComparison.Ordinal);
        screen.Resize(90, 30);
        await screen.Shows("old-owl");
        screen.Type("r");
        await screen.Shows("by memory, reversed");
        screen.Type("q");
        Assert.Equal(0, await run.WaitAsync(Eventually.Patience));
        await screen.Shows("\u001b[?1049l");
        Assert.Equal(before, screen.Modes());
    }

    private static string Plain(string text)
    {
        var plain = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\u001b')
            {
                i = text.IndexOf('m', i);
                continue;
            }

            plain.Append(text[i]);
        }

        return plain.ToString();
    }

    /// <summary>A pseudo-terminal: viv has one side, the test types and looks on the other.</summary>
    private sealed class Screen : IDisposable
    {
        private readonly SafeFileHandle _controller;
        private readonly SafeFileHandle _terminal;
        private readonly StringBuilder _text = new();

        public Screen(int columns, int rows)
        {
            // A terminal says what it is; the machine the tests run on may have none.
            Environment.SetEnvironmentVariable("TERM", "xterm-256color");
            Environment.SetEnvironmentVariable("NO_COLOR", null);
            (_controller, _terminal) = Pty.Open(columns, rows);
            new Thread(Collect) { IsBackground = true }.Start();
        }

        public string Text
        {
            get
            {
                lock (_text)
                {
                    return _text.ToString();
                }
            }
        }

        private int TerminalFd => (int)_terminal.DangerousGetHandle();

        private int ControllerFd => (int)_controller.DangerousGetHandle();

        public Task<int> Start(FakeDaemon daemon, params string[] args) => Task.Factory.StartNew(
            () => App.Run(["--config", daemon.ConfigFile, .. args], new Stdio(TerminalFd, TerminalFd, TerminalFd), new CliRun.FixedClock()),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);

        public void Type(string keys) => Assert.True(Fd.WriteAll(ControllerFd, Encoding.UTF8.GetBytes(keys)));

        public Task Shows(string text) => Eventually.True(() => Text.Contains(text, StringComparison.Ordinal), text: text);

        /// <summary>As the kernel does for a foreground program; this process is none, so the signal is sent by hand.</summary>
        public void Resize(int columns, int rows)
        {
            Linux.Terminals.TerminalSize.Set(_controller, columns, rows);
            Signals.Send(Environment.ProcessId, Signals.SIGWINCH);
        }

        public unsafe (uint, uint, uint, uint) Modes()
        {
            Posix.Termios state;

            // SAFETY: tcgetattr fills the struct on the stack.
            Assert.Equal(0, Posix.tcgetattr(TerminalFd, &state));
            return (state.InputFlags, state.OutputFlags, state.ControlFlags, state.LocalFlags);
        }

        public void Dispose()
        {
            _terminal.Dispose();
            _controller.Dispose();
        }

        private void Collect()
        {
            var buffer = new byte[4096];
            try
            {
                while (Fd.Read(ControllerFd, buffer) is var count and > 0)
                {
                    lock (_text)
                    {
                        _text.Append(Encoding.UTF8.GetString(buffer, 0, count));
                    }
                }
            }
            catch (Exception e) when (e is ObjectDisposedException or Wire.Errors.VivariumException)
            {
                // The screen is gone.
            }
        }
    }
}
