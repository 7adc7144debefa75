using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;
using Vivarium.Acceptance.Harness;
using Vivarium.Linux.IO;
using Vivarium.Linux.Processes;
using Vivarium.Linux.Terminals;

namespace Vivarium.Acceptance.Terminal;

/// <summary>
/// A person at a terminal: viv runs on a real pseudo-terminal as its session's foreground process, keys are typed, and what appears on the screen is
/// waited for.
/// </summary>
internal sealed class TerminalSession : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly SafeFileHandle size;
    private readonly PollableFd keys;
    private readonly ChildProcess child;
    private readonly StringBuilder screen = new();
    private readonly Lock gate = new();
    private readonly Task reading;
    private int seen;

    private TerminalSession(SafeFileHandle controller, ChildProcess child)
    {
        size = new SafeFileHandle(controller.DangerousGetHandle(), ownsHandle: false);
        keys = PollableFd.Take(controller);
        this.child = child;
        reading = ReadAsync();
    }

    public static TerminalSession Start(Viv viv, int columns, int rows, params string[] arguments)
    {
        var (controller, terminal) = Pty.Open(columns, rows);
        using (terminal)
        {
            var fd = (int)terminal.DangerousGetHandle();
            var child = ChildProcess.Start(new SpawnOptions
            {
                FileName = Checkout.Viv,
                Argv = ["viv", .. arguments],
                Env = [.. viv.Environment, "TERM=xterm-256color"],
                Fds = [new(fd, 0), new(fd, 1), new(fd, 2)],
                NewSession = true,
                ControllingTerminal = true,
            });
            return new TerminalSession(controller, child);
        }
    }

    public Task TypeAsync(string text) => keys.WriteAsync(Encoding.UTF8.GetBytes(text), TestContext.Current.CancellationToken).AsTask();

    public void Resize(int columns, int rows) => TerminalSize.Set(size, columns, rows);

    /// <summary>Waits until something that matches appears after what was waited for before; returns it.</summary>
    public async Task<string> ExpectAsync(string pattern)
    {
        var regex = new Regex(pattern, RegexOptions.Singleline, TimeSpan.FromSeconds(1));
        Match? match = null;
        var found = await Eventually.TryAsync(
            () =>
            {
                lock (gate)
                {
                    match = regex.Match(screen.ToString(), seen);
                    if (match.Success)
                    {
                        seen = match.Index + match.Length;
                    }

                    return match.Success;
                }
            },
            Patience);
        Assert.True(found, $"\"{pattern}\" did not appear; since the last match the terminal showed:\n{Visible(Rest())}");
        return match!.Value;
    }

    /// <summary>Waits for the end of viv and returns its exit code.</summary>
    public async Task<int> EndAsync() => (await child.Exited.WaitAsync(Patience, TestContext.Current.CancellationToken)).ShellCode;

    public async ValueTask DisposeAsync()
    {
        if (!child.Exited.IsCompleted)
        {
            child.SignalGroup(Signals.SIGHUP);
            if (await Task.WhenAny(child.Exited, Task.Delay(Patience, TimeProvider.System, CancellationToken.None)) != child.Exited)
            {
                child.SignalGroup(Signals.SIGKILL);
            }
        }

        await keys.DisposeAsync();
        await reading;
        size.Dispose();
    }

    private string Rest()
    {
        lock (gate)
        {
            return screen.ToString(seen, screen.Length - seen);
        }
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[8192];
        try
        {
            while (await keys.ReadAsync(buffer, CancellationToken.None) is var count and > 0)
            {
                lock (gate)
                {
                    screen.Append(Encoding.UTF8.GetString(buffer, 0, count));
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or System.Net.Sockets.SocketException)
        {
            // The terminal is gone.
        }
    }

    private static string Visible(string text) =>
        string.Concat(text.Select(c => c is '\u001b' ? "ESC" : c < ' ' && c is not '\n' ? $"\\x{(int)c:x2}" : c.ToString()));
}
